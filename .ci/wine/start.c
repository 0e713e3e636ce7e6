/* Starts a program, waits for it, and ends with its exit code. `run` builds it and puts it between the shell and what is
   tested.

   Wine 8 can crash while a process with several threads ends: a thread that is being stopped takes a signal after its
   block of thread data is gone. The work is done by then, and the exit code is with Wine's server; but whoever waits for
   the Unix process sees SIGSEGV. This has one thread, and asks the server. */

#include <windows.h>

/* A stop by the console is for the program, which this outlives. */
static BOOL WINAPI ignore(DWORD event) {
  (void)event;
  return TRUE;
}

/* The command line behind the first word, which is this program's own name. */
static WCHAR *rest(WCHAR *line) {
  int quoted = 0;
  for (; *line && (quoted || *line != ' '); line++) quoted ^= *line == '"';
  while (*line == ' ') line++;
  return line;
}

int main(void) {
  WCHAR *line = rest(GetCommandLineW());
  SetConsoleCtrlHandler(ignore, TRUE);
  STARTUPINFOW startup = {.cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES};
  startup.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
  startup.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
  startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
  PROCESS_INFORMATION process;
  /* "Internal error" is a process that died before its first instruction. */
  int tries = 3, started;
  do {
    started = CreateProcessW(NULL, line, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL, NULL, &startup, &process);
  } while (!started && GetLastError() == ERROR_INTERNAL_ERROR && --tries > 0);
  if (!started) return 125;
  /* Who kills this kills the program, but for what that has started. */
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
  limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
  HANDLE job = CreateJobObjectW(NULL, NULL);
  SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
  AssignProcessToJobObject(job, process.hProcess);
  ResumeThread(process.hThread);
  WaitForSingleObject(process.hProcess, INFINITE);
  DWORD code = 125;
  GetExitCodeProcess(process.hProcess, &code);
  return (int)code;
}
