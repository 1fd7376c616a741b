/* Runs one signature of a SavedModel by the loader that Serving uses.

   c_api FOLDER INPUT_OP DTYPE DIM,DIM,... OUTPUT_OP INDEX < input > output

   DTYPE is float or uint8; the output is float. Operations are named as in
   the SignatureDef, without the index. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"

static void check(TF_Status *status, const char *what) {
  if (TF_GetCode(status) == TF_OK) return;
  fprintf(stderr, "%s: %s\n", what, TF_Message(status));
  exit(1);
}

static TF_Output find(TF_Graph *graph, const char *name, int index) {
  TF_Output found = {TF_GraphOperationByName(graph, name), index};
  if (found.oper == NULL) {
    fprintf(stderr, "no operation %s\n", name);
    exit(1);
  }
  return found;
}

int main(int argc, char **argv) {
  if (argc != 7) return 2;
  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  TF_SessionOptions *options = TF_NewSessionOptions();
  const char *tags[] = {"serve"};
  TF_Session *session = TF_LoadSessionFromSavedModel(
      options, NULL, argv[1], tags, 1, graph, NULL, status);
  check(status, "load");

  TF_DataType dtype = strcmp(argv[3], "uint8") ? TF_FLOAT : TF_UINT8;
  int64_t dims[8];
  int rank = 0;
  size_t bytes = TF_DataTypeSize(dtype);
  for (char *d = strtok(argv[4], ","); d && rank < 8; d = strtok(NULL, ",")) {
    dims[rank] = atoll(d);
    bytes *= dims[rank++];
  }
  TF_Tensor *input = TF_AllocateTensor(dtype, dims, rank, bytes);
  if (fread(TF_TensorData(input), 1, bytes, stdin) != bytes) {
    fprintf(stderr, "the input is shorter than %zu bytes\n", bytes);
    return 1;
  }

  TF_Output from = find(graph, argv[2], 0);
  TF_Output to = find(graph, argv[5], atoi(argv[6]));
  TF_Tensor *output = NULL;
  TF_SessionRun(session, NULL, &from, &input, 1, &to, &output, 1, NULL, 0,
                NULL, status);
  check(status, "run");
  fwrite(TF_TensorData(output), 1, TF_TensorByteSize(output), stdout);

  TF_DeleteTensor(input);
  TF_DeleteTensor(output);
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  return 0;
}
