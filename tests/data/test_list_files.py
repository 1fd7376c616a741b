"""From the bytes of a list to paths and labels."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from nonlocal_keras.data import list_files


def read(tmp_path, content, name="train.csv"):
    file = tmp_path / name
    data = content.encode() if isinstance(content, str) else content
    file.write_bytes(data)
    return list_files.read(file)


def pairs(*args):
    return [(row.path, row.label) for row in read(*args)]


AB = [("a.mp4", "run"), ("b.mp4", "walk")]


@pytest.mark.parametrize(
    "content",
    [
        "a.mp4,run\nb.mp4,walk\n",
        "a.mp4;run\r\nb.mp4;walk\r\n",
        "a.mp4\trun\rb.mp4\twalk\r",
        "a.mp4 run\nb.mp4   walk",
        "\n# a comment\na.mp4,run\n\n  # another\nb.mp4,walk\n\n",
        'a.mp4,"run"\n"b.mp4", walk\n',
        "a.mp4,run,,\nb.mp4,walk,,\n",
        "path,label\na.mp4,run\nb.mp4,walk\n",
        "Label;Video Path\nrun;a.mp4\nwalk;b.mp4\n",
        "id,FILENAME,frames,Class\n7,a.mp4,30,run\n8,b.mp4,20,walk\n",
        "video_name\ttag\na.mp4\trun\nb.mp4\twalk\n",
        "filepath class\na.mp4 run\nb.mp4 walk\n",
        "path,label_id,label\na.mp4,0,run\nb.mp4,1,walk\n",
        "clip_name,clip_path,label\nv1,a.mp4,run\nv2,b.mp4,walk\n",
        b"\xef\xbb\xbfpath,label\r\na.mp4,run\r\nb.mp4,walk\r\n",
        "path,label\na.mp4,run\nb.mp4,walk\n".encode("utf-16"),
        "path,label\na.mp4,run\nb.mp4,walk\n".encode("utf-16-le"),
        "a.mp4\trun\nb.mp4\twalk\n".encode("utf-16-be"),
    ],
)
def test_a_list_is_read_however_it_is_written(content, tmp_path):
    assert pairs(tmp_path, content) == AB


@pytest.mark.parametrize(
    "line, pair",
    [
        ("a.mp4\triding a bike", ("a.mp4", "riding a bike")),
        ("my clips/a.mp4 riding a bike", ("my clips/a.mp4", "riding a bike")),
        ("a.mp4 riding, fast", ("a.mp4", "riding, fast")),
        ("c d.mp4;run", ("c d.mp4", "run")),
        ("a,b.mp4;run", ("a,b.mp4", "run")),
        ('"a,b.mp4",run', ("a,b.mp4", "run")),
        ('"c d.mp4" run', ("c d.mp4", "run")),
        ("a.mp4 120 3", ("a.mp4", "3")),
        ("#1.mp4,run\n'q'.avi,run", ("'q'.avi", "run")),
        ('"#1.mp4",run', ("#1.mp4", "run")),
    ],
)
def test_a_separator_counts_if_it_leaves_a_path_and_a_label(
    line, pair, tmp_path
):
    assert pairs(tmp_path, line) == [pair]


def test_latin_1_is_read_and_said(tmp_path, caplog):
    content = "caf\xe9.mp4,d\xe9j\xe0\n".encode("latin-1")
    assert pairs(tmp_path, content) == [("caf\xe9.mp4", "d\xe9j\xe0")]
    assert "not UTF-8; read as Windows-1252" in caplog.text


@pytest.mark.parametrize(
    "content, words",
    [
        ("a.mp4,run\nb.mp4\n", "one label.*line 2.*b.mp4"),
        ("a.mp4,run\nb.mp4,\n", "line 2"),
        ("a.mp4,run\n,walk\n", "line 2"),
        ("a.mp4,run\nb.mp4,riding, fast\n", "line 2.*riding, fast"),
        ("\n\na.mp4,run\n#\nb.mp4;walk\n", "line 5.*b.mp4;walk"),
        ('a.mp4,run\n"b.mp4,walk\n', "line 2"),
        ("a.mp4 b.mp4 run\n", "line 1"),
        ("folder/of_frames 120 3\n", "line 1.*folders of pictures"),
        ("a.mp4 120 3\nb.mp4 4\n", "line 2.*number of frames"),
        ("a.mp4,120,3\n", "line 1.*header line"),
        ("run,a.mp4\n", "line 1"),
        ("path,label\na.mp4,run\nb.mp4\n", "line 3.*b.mp4"),
        ("path,label\na.mp4,riding, fast\n", "line 2.*wears quotes"),
        ("label,path\n,a.mp4\n", "line 2"),
        ("path,split,label\na.mp4,fold1,run\n", "line 2.*train, val or test"),
        ("path,foo\na.mp4,run\n", "line 1.*no column for the label"),
        ("tag,name\nrun,a\n", "line 1.*no column for the path.*video_path"),
        ("path,path,label\na.mp4,b.mp4,run\n", "one column.*path and path"),
        ("path,class,label\na.mp4,x,run\n", "class and label"),
    ],
)
def test_what_cannot_be_understood_is_refused_by_line(content, words, tmp_path):
    with pytest.raises(ValueError, match="(?s)" + _either(words)):
        read(tmp_path, content)


def _either(words):
    """The words of a pattern in any order, joined by `.*`."""
    return "".join(f"(?=.*{word})" for word in words.split(".*"))


def test_a_list_that_two_separators_read_is_refused(tmp_path):
    with pytest.raises(ValueError, match="each of the separators"):
        read(tmp_path, "a.mp4;b.mp4,run\n")


@pytest.mark.parametrize("content", [b"PK\x03\x04\0\0\x08\0rest", b"\0" * 50])
def test_what_is_no_text_is_refused(content, tmp_path):
    with pytest.raises(ValueError, match="file of text.*[Ss]preadsheet|text"):
        read(tmp_path, content)


def test_splits_are_known_by_several_names(tmp_path):
    rows = read(
        tmp_path,
        "path,label,Split\na.mp4,x,training\nb.mp4,x,validate\nc.mp4,y,TEST\n",
    )
    assert [row.split for row in rows] == ["train", "val", "test"]


KINETICS = "label,youtube_id,time_start,time_end,split,is_cc\n"


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_clips_of_a_kinetics_list_are_found_below_its_folder(tmp_path):
    touch(tmp_path / "air drumming" / "f7Z6BmBkcq4_000006_000016.mp4")
    touch(tmp_path / "-x_y_10_20.webm")
    content = (
        KINETICS
        + "air drumming,f7Z6BmBkcq4,6,16,val,0\n"
        + '"abseiling","-x_y",10,20,"val",0\n'
        + "abseiling,gone,0,10,val,0\n"
    )
    assert pairs(tmp_path, content) == [
        ("air drumming/f7Z6BmBkcq4_000006_000016.mp4", "air drumming"),
        ("-x_y_10_20.webm", "abseiling"),
        ("gone_000000_000010.mp4", "abseiling"),
    ]


def test_clips_are_found_in_the_folder_of_the_name_of_the_list(tmp_path):
    touch(tmp_path / "val" / "f7Z6BmBkcq4_000006_000016.mp4")
    touch(tmp_path / "train" / "f7Z6BmBkcq4_000006_000016.mp4")
    content = KINETICS + "air drumming,f7Z6BmBkcq4,6,16,val,0\n"
    ((path, _),) = pairs(tmp_path, content, "val.csv")
    assert path == "val/f7Z6BmBkcq4_000006_000016.mp4"


def test_a_kinetics_list_without_its_clips_says_how_they_lie(tmp_path):
    content = KINETICS + "air drumming,f7Z6BmBkcq4,6,16,val,0\n"
    words = "at any depth, as id_start_end.*f7Z6BmBkcq4_000006_000016.mp4"
    with pytest.raises(ValueError, match=words):
        read(tmp_path, content)


def test_a_clip_with_two_files_is_refused(tmp_path):
    touch(tmp_path / "a" / "f7Z6BmBkcq4_000006_000016.mp4")
    touch(tmp_path / "b" / "f7Z6BmBkcq4_000006_000016.mp4")
    with pytest.raises(ValueError, match="A clip must have one file"):
        read(tmp_path, KINETICS + "air drumming,f7Z6BmBkcq4,6,16,val,0\n")


def test_a_kinetics_list_without_labels_says_which_column_is_wanted(tmp_path):
    content = "youtube_id,time_start,time_end,split\nf7Z6BmBkcq4,6,16,test\n"
    with pytest.raises(ValueError, match="no column for the label.*youtube_id"):
        read(tmp_path, content)


def test_times_are_read_as_data_frames_write_them(tmp_path):
    touch(tmp_path / "f7Z6BmBkcq4_000006_000016.mp4")
    content = KINETICS + "air drumming,f7Z6BmBkcq4,6.0,16.0,val,0\n"
    ((path, _),) = pairs(tmp_path, content)
    assert path == "f7Z6BmBkcq4_000006_000016.mp4"


@pytest.mark.parametrize("time", ["six", "6.5", "nan", "1e400"])
def test_times_that_are_no_whole_seconds_are_refused(time, tmp_path):
    content = KINETICS + f"air drumming,f7Z6BmBkcq4,{time},16,val,0\n"
    with pytest.raises(ValueError, match="in whole seconds.*line 2"):
        read(tmp_path, content)


def test_a_charades_list_is_refused_with_the_reason(tmp_path):
    content = "id,subject,actions,length\nYSKX3,CP6Y,c077 12.10 18.00,16.62\n"
    with pytest.raises(ValueError, match="several labels.*path and label"):
        read(tmp_path, content)


_TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.just(" "),
    min_size=1,
    max_size=12,
).map(str.strip)


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(
        st.tuples(_TEXT.map(lambda t: t + "x.mp4"), _TEXT.filter(bool)),
        min_size=1,
        max_size=6,
    ),
    delimiter=st.sampled_from(",;\t"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_a_csv_writer_quotes_is_read_back(
    tmp_path_factory, rows, delimiter, encoding, end
):
    text = io.StringIO()
    writer = csv.writer(
        text, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL
    )
    writer.writerows([("label", "path"), *((b, a) for a, b in rows)])
    folder = tmp_path_factory.mktemp("lists")
    assert pairs(folder, text.getvalue().encode(encoding)) == rows


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_give_rows_or_a_value_error(tmp_path_factory, content):
    try:
        rows = read(tmp_path_factory.mktemp("lists"), content)
    except ValueError:
        return
    assert all(row.path and row.label for row in rows)
