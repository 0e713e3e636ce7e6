/* A stand-in for python.exe that answers what uv asks of an interpreter, and nothing else: uv under Wine then makes
   environments and installs wheels without any Python. In an environment (a `pyvenv.cfg` lies above) it speaks for that,
   and finds its base in the line `home`. Told to `wait` it prints `held` and runs until its standard input ends. */

#include <stdio.h>
#include <string.h>
#include <windows.h>

/* Cuts the last name from a path. */
static void up(char *path) {
  char *last = strrchr(path, '\\');
  if (last) *last = 0;
}

/* Reads the line `home = ...` of a pyvenv.cfg; whether there was one. */
static int home(const char *prefix, char *base, size_t size) {
  char path[MAX_PATH + 16], line[1024];
  snprintf(path, sizeof path, "%s\\pyvenv.cfg", prefix);
  FILE *file = fopen(path, "r");
  int found = 0;
  if (!file) return 0;
  while (!found && fgets(line, sizeof line, file)) {
    if (strncmp(line, "home = ", 7) != 0) continue;
    line[strcspn(line, "\r\n")] = 0;
    snprintf(base, size, "%s", line + 7);
    found = 1;
  }
  fclose(file);
  return found;
}

/* Prints a key and a path, with what JSON wants before a backslash. */
static void path(const char *key, const char *start, const char *rest, const char *after) {
  if (key) printf("\"%s\": ", key);
  putchar('"');
  for (const char *part = start; *part; part++) *part == '\\' ? printf("\\\\") : putchar(*part);
  for (const char *part = rest; *part; part++) *part == '\\' ? printf("\\\\") : putchar(*part);
  printf("\"%s", after);
}

int main(int count, char **arguments) {
  int asked = 0;
  for (int number = 1; number < count; number++) {
    if (strstr(arguments[number], "get_interpreter_info")) asked = 1;
    if (!strcmp(arguments[number], "-V") || !strcmp(arguments[number], "--version")) puts("Python 3.11.7");
  }
  if (count > 1 && !strcmp(arguments[1], "wait")) {
    puts("held");
    fflush(stdout);
    while (getchar() != EOF) {
    }
  }
  if (!asked) return 0;
  char program[MAX_PATH], prefix[MAX_PATH], base[MAX_PATH];
  GetModuleFileNameA(NULL, program, sizeof program);
  strcpy(prefix, program);
  up(prefix);
  strcpy(base, prefix);
  up(prefix);
  if (!home(prefix, base, sizeof base)) strcpy(prefix, base);
  printf("{\"result\": \"success\", \"markers\": {\"implementation_name\": \"cpython\", \"implementation_version\": "
         "\"3.11.7\", \"os_name\": \"nt\", \"platform_machine\": \"AMD64\", \"platform_python_implementation\": "
         "\"CPython\", \"platform_release\": \"10\", \"platform_system\": \"Windows\", \"platform_version\": "
         "\"10.0.19045\", \"python_full_version\": \"3.11.7\", \"python_version\": \"3.11\", \"sys_platform\": "
         "\"win32\"}, ");
  path("sys_base_prefix", base, "", ", ");
  path("sys_base_exec_prefix", base, "", ", ");
  path("sys_prefix", prefix, "", ", ");
  path("sys_base_executable", base, "\\python.exe", ", ");
  path("sys_executable", program, "", ", ");
  printf("\"sys_path\": [");
  path(NULL, prefix, "\\Lib\\site-packages", "], \"site_packages\": [");
  path(NULL, prefix, "\\Lib\\site-packages", "], ");
  path("stdlib", base, "\\Lib", ", \"extension_suffixes\": [\".cp311-win_amd64.pyd\", \".pyd\"], ");
  printf("\"standalone\": false, \"scheme\": {");
  path("platlib", prefix, "\\Lib\\site-packages", ", ");
  path("purelib", prefix, "\\Lib\\site-packages", ", ");
  path("include", base, "\\Include", ", ");
  path("scripts", prefix, "\\Scripts", ", ");
  path("data", prefix, "", "}, ");
  printf("\"virtualenv\": {\"purelib\": \"Lib\\\\site-packages\", \"platlib\": \"Lib\\\\site-packages\", \"include\": "
         "\"Include\", \"scripts\": \"Scripts\", \"data\": \"\"}, \"os\": {\"name\": \"windows\"}, \"arch\": "
         "\"x86_64\", \"cpu_info\": {\"detected\": {\"kind\": \"flags\", \"flags\": \"\"}}, \"manylinux_compatible\": false, \"gil_disabled\": false, "
         "\"debug_enabled\": false, \"pointer_size\": \"64\"}\n");
  return 0;
}
