/* The contract between a training program (the host) and a library of weight predictors (a plug-in).
 *
 * A module of a network runs forward now and backward s of its updates later. A predictor forecasts the weights it
 * will have then. The host asks, for each forecast, for a rule:
 *
 *   linear   four coefficients of  W' = weights*w + direction*d + gradient*g + displacement*x ; the host applies them,
 *            on whatever device the weights are
 *   custom   the host then calls predict, which reads borrowed arrays and writes W'
 *
 * with w the current weights, d the optimizer's direction (SGD: the momentum buffer; Adam and AdamW: m^/(sqrt(v^)+eps)),
 * g the last gradient (before weight decay), x = w(u) - w(u-1) the last displacement.
 *
 * Exported symbol. One, and it is data: dtrp_predictor_entry. The host reads magic, abi_major and struct_size before it
 * calls anything.
 *
 * Versions. The major number must be equal, the minor may differ. Within a major, fields are only ever appended. A struct
 * that begins with struct_size may be shorter or longer than the reader knows it: the writer sets struct_size to its own
 * sizeof, the reader reads no further, and takes what is not there as zero. Set reserved fields to zero.
 *
 * Errors. Functions return a dtrp_status. Before returning anything but DTRP_OK, say why through host->set_error, on
 * the same thread. C++ exceptions, Rust panics and longjmp must not cross the boundary.
 *
 * Memory. Who allocates frees. Arrays, strings and structs that are passed in are borrowed for the length of the call;
 * only the dtrp_host lives as long as the process. What a plug-in returns by pointer lives until the instance is
 * destroyed (dtrp_predictor) or as long as the process (dtrp_descriptor and its strings).
 *
 * Threads. Every function has a tag:
 *   [any]       any thread, several at once
 *   [instance]  any thread, but for one instance only one call at a time; different instances at the same time
 * The host makes one instance for each module of the network, and some more to try the plug-in out.
 *
 * Same bytes. The same calls in the same order on the same kind of device give the same bytes.
 *
 * Life. A library is loaded from an explicit path and never unloaded. It should bring no tensor library of its own.
 *
 * 64-bit platforms only. Needs C11 or C++17 to compile.
 */
#ifndef DTRP_PREDICTOR_H
#define DTRP_PREDICTOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DTRP_ABI_MAJOR 1
#define DTRP_ABI_MINOR 0

/* The initializer of dtrp_entry.magic. */
#define DTRP_MAGIC {'D', 'T', 'R', 'P', 'P', 'R', 'E', 'D'}

#if defined(_WIN32)
#define DTRP_EXPORT __declspec(dllexport)
#else
#define DTRP_EXPORT __attribute__((visibility("default")))
#endif

/* What functions return. */
typedef int32_t dtrp_status;
enum {
  DTRP_OK = 0,
  DTRP_ERROR = 1,               /* anything else */
  DTRP_INVALID_OPTION = 2,      /* create: an option that does not exist, or a value it cannot have */
  DTRP_UNKNOWN_PREDICTOR = 3,   /* create: no such id */
  DTRP_UNSUPPORTED = 4,         /* a device, number type or optimizer that it cannot work with */
  DTRP_INVALID_STATE = 5,       /* load: bytes that save did not write */
  DTRP_PANIC = 6                /* a panic or exception was caught; the instance is only destroyed after this */
};

/* UTF-8, not ended by a zero. */
typedef struct dtrp_text {
  const char *data;
  size_t size;
} dtrp_text;

/* A dtrp_text of a string literal, as an initializer. */
#define DTRP_TEXT(literal) {literal, sizeof(literal) - 1}

/* ---- Arrays: the layout of DLPack's DLDevice, DLDataType and DLTensor ------------------------------------------- */

enum { DTRP_CPU = 1, DTRP_CUDA = 2 }; /* dtrp_device.type */
enum { DTRP_FLOAT = 2 };              /* dtrp_dtype.code */

typedef struct dtrp_device {
  int32_t type;
  int32_t id;
} dtrp_device;

typedef struct dtrp_dtype {
  uint8_t code;
  uint8_t bits; /* 32 or 64 */
  uint16_t lanes; /* 1 */
} dtrp_dtype;

/* A borrowed array. The host passes one dimension, contiguous (ndim 1, strides[0] 1). Honour byte_offset. An empty
 * array may have a null data pointer. The output never overlaps an input. All arrays of one call have the same length;
 * which parameters of the network they hold, in which order, stays the same over the life of an instance. */
typedef struct dtrp_tensor {
  void *data;
  dtrp_device device;
  int32_t ndim;
  dtrp_dtype dtype;
  int64_t *shape;
  int64_t *strides;
  uint64_t byte_offset;
} dtrp_tensor;

/* ---- What the host says ------------------------------------------------------------------------------------------ */

enum { DTRP_SGD = 0, DTRP_ADAM = 1 }; /* dtrp_context.optimizer; refuse what you do not know */

/* The scalars a forecast depends on. Those of the other optimizer are 0. */
typedef struct dtrp_context {
  uint64_t struct_size;
  uint32_t module;               /* 1 ... modules */
  uint32_t modules;
  uint64_t update;               /* updates this module has made; Adam's step count */
  const double *learning_rates;  /* of the coming updates, from the schedule, in order; horizon many */
  uint32_t horizon;              /* s: how many updates ahead; 0 means W' = w, bit for bit */
  uint32_t optimizer;
  double momentum;               /* SGD */
  double weight_decay;
  double beta1;                  /* Adam */
  double beta2;                  /* Adam */
  double epsilon;                /* Adam */
  uint32_t nesterov;             /* SGD: 0 or 1 */
  uint32_t decoupled;            /* Adam: 1 for AdamW */
  void *stream;                  /* cudaStream_t to enqueue on, without synchronising; null on the CPU */
} dtrp_context;

/* What may be read. Null where the predictor did not ask for it, or where it does not exist yet (before the first
 * update): then it counts as zeros. weights is never null. */
typedef struct dtrp_views {
  uint64_t struct_size;
  const dtrp_tensor *weights;
  const dtrp_tensor *direction;
  const dtrp_tensor *gradient;
  const dtrp_tensor *displacement;
} dtrp_views;

/* How an earlier forecast turned out, as sums over all parameters of the module. W_F: weights at the forecast, W_R:
 * weights s updates later, r = W_R - W_F, p = W' - W_F, e = -(sum of learning rates) * d at the forecast. */
typedef struct dtrp_probe {
  uint64_t struct_size;
  uint32_t horizon;
  uint32_t reserved;
  double realised_dot_direction; /* <r,e> */
  double direction_norm2;        /* <e,e> */
  double realised_norm2;         /* <r,r> */
  double predicted_norm2;        /* <p,p> */
  double predicted_dot_realised; /* <p,r> */
  double error_norm2;            /* |W_R - W'|^2 */
} dtrp_probe;

enum { DTRP_LOG_ERROR = 1, DTRP_LOG_WARN = 2, DTRP_LOG_INFO = 3, DTRP_LOG_DEBUG = 4 };

typedef struct dtrp_host {
  uint64_t struct_size;
  uint32_t abi_major;
  uint32_t abi_minor;
  void (*set_error)(const char *text, size_t size);          /* [any] why the call in progress fails */
  void (*log)(int32_t level, const char *text, size_t size); /* [any] */
} dtrp_host;

/* Takes some bytes of a saved state, in order; returns DTRP_OK. */
typedef dtrp_status (*dtrp_write)(void *sink, const uint8_t *data, size_t size);

/* ---- What the plug-in gives -------------------------------------------------------------------------------------- */

enum { DTRP_LINEAR = 0, DTRP_CUSTOM = 1 };                                    /* dtrp_rule.kind, dtrp_descriptor.kind */
enum { DTRP_READS_DIRECTION = 1, DTRP_READS_GRADIENT = 2, DTRP_READS_DISPLACEMENT = 4 }; /* dtrp_predictor.inputs */
enum { DTRP_ON_CPU = 1, DTRP_ON_CUDA = 2 };                                   /* dtrp_descriptor.devices */
enum { DTRP_IN_F32 = 1, DTRP_IN_F64 = 2 };                                    /* dtrp_descriptor.dtypes */

/* The answer to one forecast. The host passes it with struct_size, kind DTRP_LINEAR and the coefficients of W' = w. */
typedef struct dtrp_rule {
  uint64_t struct_size;
  uint32_t kind;
  uint32_t reserved;
  double weights;
  double direction;
  double gradient;
  double displacement;
} dtrp_rule;

/* An instance. The host copies this struct; the functions get its data back as their first argument. */
typedef struct dtrp_predictor {
  uint64_t struct_size;
  void *data;
  uint32_t inputs;   /* what it reads besides the weights */
  uint32_t reserved;
  void (*destroy)(void *data);                                                                    /* [instance] */
  dtrp_status (*rule)(void *data, const dtrp_context *context, dtrp_rule *rule);                  /* [instance] */
  /* After rule said DTRP_CUSTOM for the same context. Write every element of out, and nothing else. Null if linear. */
  dtrp_status (*predict)(void *data, const dtrp_context *context, const dtrp_views *views,
                         const dtrp_tensor *out);                                                 /* [instance] */
  /* From here on null, or not being there, means: not wanted, nothing to save. */
  /* After each update: w, the d and g that made it, x. context->learning_rates holds the one rate it used. */
  dtrp_status (*observe)(void *data, const dtrp_context *context, const dtrp_views *views);       /* [instance] */
  dtrp_status (*feedback)(void *data, const dtrp_probe *probe);                                   /* [instance] */
  dtrp_status (*save)(void *data, dtrp_write write, void *sink);                                  /* [instance] */
  dtrp_status (*load)(void *data, const uint8_t *state, size_t size);                             /* [instance] */
} dtrp_predictor;

/* What one of the library's predictors is. */
typedef struct dtrp_descriptor {
  uint64_t struct_size;
  dtrp_text id;              /* reverse-domain form: "org.example.mine" */
  dtrp_text version;
  dtrp_text description;     /* one sentence */
  dtrp_text formula;
  dtrp_text licence;         /* SPDX */
  dtrp_text options_schema;  /* JSON schema of the options, or empty */
  uint32_t kind;             /* DTRP_LINEAR if every rule is linear */
  uint32_t devices;          /* where predict works; a linear rule works everywhere */
  uint32_t dtypes;           /* what predict works on */
  uint32_t reserved;
} dtrp_descriptor;

/* The exported symbol. */
typedef struct dtrp_entry {
  char magic[8];
  uint32_t abi_major;
  uint32_t abi_minor;
  uint64_t struct_size;
  uint32_t (*count)(void);                               /* [any] how many predictors there are */
  const dtrp_descriptor *(*descriptor)(uint32_t index);  /* [any] index < count */
  /* [any] Options are a JSON object, or empty. On DTRP_OK *predictor is the instance. Refuse unknown options. */
  dtrp_status (*create)(const dtrp_host *host, const char *id, size_t id_size, const char *options, size_t options_size,
                        const dtrp_predictor **predictor);
} dtrp_entry;

extern DTRP_EXPORT const dtrp_entry dtrp_predictor_entry;

#ifdef __cplusplus
}
#endif

#endif
