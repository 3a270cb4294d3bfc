/* NVIDIA's management library, libnvidia-ml.so.1, as far as attestation needs it: the same symbols
 * and structures. What it says it asks over a unix socket, whose path is compiled in.
 *
 * Source: nvml.h of driver 550. OLD leaves out what drivers before 535 lack, EARLY what those
 * before 550 lack. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef int nvmlReturn_t;
typedef void *nvmlDevice_t;
enum { UNKNOWN = 999 };

static int whole(int fd, void *into, size_t size) {
  for (size_t at = 0; at < size;) {
    ssize_t got = read(fd, (char *)into + at, size - at);
    if (got <= 0) return 0;
    at += (size_t)got;
  }
  return 1;
}

/* Send one line; take an answer: code, size, size bytes. */
static nvmlReturn_t ask(const char *line, void *room, size_t most, uint32_t *size) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  uint32_t head[2] = {UNKNOWN, 0};
  strncpy(address.sun_path, SOCKET, sizeof address.sun_path - 1);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
      write(fd, line, strlen(line)) == (ssize_t)strlen(line)) {
    if (!whole(fd, head, sizeof head) || head[1] > most || !whole(fd, room, head[1])) head[0] = UNKNOWN;
  }
  close(fd);
  if (size) *size = head[1];
  return (nvmlReturn_t)head[0];
}

static nvmlReturn_t text(const char *line, char *into, unsigned int length) {
  char room[128] = {0};
  nvmlReturn_t code = ask(line, room, sizeof room - 1, NULL);
  snprintf(into, length, "%s", room);
  return code;
}

static nvmlReturn_t of(const char *what, nvmlDevice_t device, void *room, size_t most, uint32_t *size) {
  char line[160];
  snprintf(line, sizeof line, "%s %d\n", what, (int)(intptr_t)device - 1);
  return ask(line, room, most, size);
}

nvmlReturn_t nvmlInit_v2(void) { return ask("init\n", NULL, 0, NULL); }
nvmlReturn_t nvmlShutdown(void) { return ask("shutdown\n", NULL, 0, NULL); }
const char *nvmlErrorString(nvmlReturn_t code) { return code ? "Stand-in's error" : "Success"; }

nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned int length) {
  return text("driver\n", version, length);
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count) {
  return ask("count\n", count, sizeof *count, NULL);
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device) {
  *device = (nvmlDevice_t)(intptr_t)(index + 1);
  return 0;
}

nvmlReturn_t nvmlDeviceGetArchitecture(nvmlDevice_t device, unsigned int *architecture) {
  return of("architecture", device, architecture, sizeof *architecture, NULL);
}

nvmlReturn_t nvmlDeviceGetVbiosVersion(nvmlDevice_t device, char *version, unsigned int length) {
  char room[128] = {0};
  nvmlReturn_t code = of("vbios", device, room, sizeof room - 1, NULL);
  snprintf(version, length, "%s", room);
  return code;
}

#ifndef OLD
typedef struct {
  unsigned int environment, ccFeature, devToolsMode;
} nvmlConfComputeSystemState_t;

nvmlReturn_t nvmlSystemGetConfComputeState(nvmlConfComputeSystemState_t *state) {
  return ask("state\n", state, sizeof *state, NULL);
}

typedef struct {
  unsigned int certChainSize, attestationCertChainSize;
  unsigned char certChain[0x1000], attestationCertChain[0x1400];
} nvmlConfComputeGpuCertificate_t;

nvmlReturn_t nvmlDeviceGetConfComputeGpuCertificate(nvmlDevice_t device,
                                                    nvmlConfComputeGpuCertificate_t *found) {
  nvmlReturn_t code = of("certificates", device, found->attestationCertChain,
                         sizeof found->attestationCertChain, &found->attestationCertChainSize);
  return code ? code : of("certificates-size", device, &found->attestationCertChainSize, 4, NULL);
}

typedef struct {
  unsigned int isCecAttestationReportPresent, attestationReportSize, cecAttestationReportSize;
  unsigned char nonce[32], attestationReport[0x2000], cecAttestationReport[0x1000];
} nvmlConfComputeGpuAttestationReport_t;

nvmlReturn_t nvmlDeviceGetConfComputeGpuAttestationReport(
    nvmlDevice_t device, nvmlConfComputeGpuAttestationReport_t *found) {
  char what[96] = "report ";
  for (int i = 0; i < 32; i++) sprintf(what + 7 + 2 * i, "%02x", found->nonce[i]);
  nvmlReturn_t code = of(what, device, found->attestationReport, sizeof found->attestationReport,
                         &found->attestationReportSize);
  return code ? code : of("report-size", device, &found->attestationReportSize, 4, NULL);
}

#ifndef EARLY
typedef struct {
  unsigned int version, environment, ccFeature, devToolsMode, multiGpuMode;
} nvmlSystemConfComputeSettings_v1_t;

nvmlReturn_t nvmlSystemGetConfComputeSettings(nvmlSystemConfComputeSettings_v1_t *found) {
  if (found->version != 0x1000014) return 25; /* NVML_ERROR_ARGUMENT_VERSION_MISMATCH */
  return ask("settings\n", &found->environment, sizeof *found - sizeof found->version, NULL);
}
#endif
#endif
