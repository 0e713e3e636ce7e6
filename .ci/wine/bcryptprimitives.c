/* Wine before version 9 has no bcryptprimitives.dll. Every Rust program for Windows imports one function of it, for random
   numbers. This stands in for it under Wine, for tests: `run` builds it and lays it into the prefix. */

#include <stddef.h>

typedef int BOOL;
typedef unsigned char BYTE;
typedef unsigned long ULONG;

/* RtlGenRandom, by the name that advapi32 exports. */
__declspec(dllimport) BYTE __stdcall SystemFunction036(void *buffer, ULONG length);

__declspec(dllexport) BOOL __stdcall ProcessPrng(BYTE *buffer, size_t length) {
  while (length > 0) {
    ULONG part = length > 0x10000 ? 0x10000 : (ULONG)length;
    if (!SystemFunction036(buffer, part)) return 0;
    buffer += part;
    length -= part;
  }
  return 1;
}
