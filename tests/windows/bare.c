/* Starts a program without standard handles and without a console, as a service does, and ends with its exit code. */

#include <string.h>
#include <windows.h>

int main(void) {
  /* Behind the own name the line is passed on as it is, quotes and all. */
  char *line = GetCommandLineA();
  char *start = *line == '"' ? strchr(line + 1, '"') + 1 : strchr(line, ' ');
  if (start == NULL) return 101;
  while (*start == ' ') start++;
  STARTUPINFOA startup = {.cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES};
  PROCESS_INFORMATION process;
  if (!CreateProcessA(NULL, start, NULL, NULL, FALSE, DETACHED_PROCESS, NULL, NULL, &startup, &process)) return 102;
  if (WaitForSingleObject(process.hProcess, 60000) != WAIT_OBJECT_0) return 103;
  DWORD code = 104;
  GetExitCodeProcess(process.hProcess, &code);
  return (int)code;
}
