/* Holds a file as uv holds its locks, with LockFileEx, until its standard input ends:
     hold.exe exclusive|shared FILE
   Prints `held` once it has it. */

#include <stdio.h>
#include <string.h>
#include <windows.h>

int main(int count, char **arguments) {
  if (count != 3) return 2;
  HANDLE file = CreateFileA(arguments[2], GENERIC_READ | GENERIC_WRITE,
                            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_ALWAYS, 0, NULL);
  if (file == INVALID_HANDLE_VALUE) return 3;
  DWORD exclusive = strcmp(arguments[1], "exclusive") ? 0 : LOCKFILE_EXCLUSIVE_LOCK;
  OVERLAPPED where = {0};
  if (!LockFileEx(file, exclusive, 0, MAXDWORD, MAXDWORD, &where)) return 4;
  puts("held");
  fflush(stdout);
  while (getchar() != EOF) {
  }
  return 0;
}
