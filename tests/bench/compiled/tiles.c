/* The three kernels of a tile that take most of a fit's time, as a compiled extension would have them: what
 * gvideo/raster/cpu_items.py and cpu_kernels.py do, with GCC's vector extensions (AVX2). For tests/bench/compiled/compare.py. */
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

enum { BLOCK = 8, BLOCKS = 8, TILE = 64, ROW = 3 * BLOCK, BLOCK_STRIDE = TILE * ROW };
enum { ROW_SHIFT = 6, BLOCK_SHIFT = 12, MEMBER_SHIFT = 15 };
enum { RECORD_FIELDS = 16, R_X = 0, R_X_FRACTION, R_Y, R_Y_FRACTION, R_AMPLITUDE, R_SHAPE = 7 };
enum { DX_FACTOR, SHEAR, S_FACTOR, RATIO_STEP };
enum { W_WEIGHT = 0, W_RATIO = 8, W_RATIO_STEP = 16, W_AMPLITUDE = 17, W_LEFT = 20, W_ABOVE, W_SHEAR, WALK_FIELDS = 24 };

typedef float f8 __attribute__((vector_size(32)));
typedef int32_t i8 __attribute__((vector_size(32)));

static inline f8 load(const float *p) { f8 v; memcpy(&v, p, sizeof v); return v; }
static inline void store(float *p, f8 v) { memcpy(p, &v, sizeof v); }
static inline f8 spread(float x) { return (f8){x, x, x, x, x, x, x, x}; }
static inline f8 choose(i8 mask, f8 a, f8 b) { return (f8)(((i8)a & mask) | ((i8)b & ~mask)); }
static inline f8 positive(f8 a) { return (f8)_mm256_max_ps((__m256)a, (__m256)spread(0)); }
static const f8 LANES = {0, 1, 2, 3, 4, 5, 6, 7};

static inline f8 exp2_of(f8 x) {
    i8 normal = x > spread(-126.0f);
    x = choose(normal, x, spread(-126.0f));
    x = choose(x < spread(126.0f), x, spread(126.0f));
    f8 shifted = x + spread(12582912.0f);
    f8 fraction = x - (shifted - spread(12582912.0f));
    static const float c[] = {1.0f, 0.6931472057372429f, 0.24022646890578592f, 0.05550328777004565f,
                              0.009618488963108032f, 0.001339993120665902f, 0.00015345810394215564f};
    f8 power = spread(c[6]);
    for (int k = 5; k >= 0; k--) power = power * fraction + spread(c[k]);
    power = (f8)((i8)power + ((i8)shifted << 23));
    return choose(normal, power, spread(0));
}

void start_walks(const float *records, const int32_t *members, const int64_t *items, int64_t count, int64_t tile_x,
                 int64_t tile_y, float *walks) {
    for (int64_t i = 0; i < count; i++) {
        int64_t item = items[i], row = (item >> ROW_SHIFT) & (TILE - 1), block = (item >> BLOCK_SHIFT) & (BLOCKS - 1);
        const float *r = records + (int64_t)members[item >> MEMBER_SHIFT] * RECORD_FIELDS, *shape = r + R_SHAPE;
        float left = ((float)(tile_x + block * BLOCK) - r[R_X]) - r[R_X_FRACTION];
        float above = ((float)(tile_y + row) - r[R_Y]) - r[R_Y_FRACTION];
        f8 dx = LANES + spread(left), s = spread(shape[SHEAR]) * dx + spread(above), factor = spread(shape[S_FACTOR]);
        f8 across = spread(shape[DX_FACTOR]) * dx * dx;
        float *w = walks + i * WALK_FIELDS;
        store(w + W_WEIGHT, exp2_of(factor * s * s + across));
        store(w + W_RATIO, exp2_of(factor * (s + s + spread(1.0f))));
        w[W_RATIO_STEP] = shape[RATIO_STEP];
        for (int c = 0; c < 3; c++) w[W_AMPLITUDE + c] = r[R_AMPLITUDE + c];
        w[W_LEFT] = left;
        w[W_ABOVE] = above;
        w[W_SHEAR] = shape[SHEAR];
    }
}

void splat_items(const int64_t *items, int64_t count, const float *walks, float *tile, float floor_) {
    f8 floor = spread(floor_);
    for (int64_t i = 0; i < count; i++) {
        int64_t item = items[i], rows = item & 63, row = (item >> ROW_SHIFT) & (TILE - 1);
        float *at = tile + ((item >> BLOCK_SHIFT) & (BLOCKS - 1)) * BLOCK_STRIDE + row * ROW;
        const float *p = walks + i * WALK_FIELDS;
        f8 w = load(p + W_WEIGHT), r = load(p + W_RATIO), q = spread(p[W_RATIO_STEP]);
        f8 a0 = spread(p[W_AMPLITUDE]), a1 = spread(p[W_AMPLITUDE + 1]), a2 = spread(p[W_AMPLITUDE + 2]);
        for (int64_t k = 0; k < rows; k++, at += ROW) {
            f8 weight = positive(w - floor);
            store(at, weight * a0 + load(at));
            store(at + BLOCK, weight * a1 + load(at + BLOCK));
            store(at + 2 * BLOCK, weight * a2 + load(at + 2 * BLOCK));
            w *= r;
            r *= q;
        }
    }
}

static inline f8 fold(f8 a, f8 b, i8 low, i8 high) { return __builtin_shuffle(a, b, low) + __builtin_shuffle(a, b, high); }

/* The sums over the lanes of eight vectors as one vector. */
static inline f8 totals(f8 a, f8 b, f8 c, f8 d, f8 e, f8 f, f8 g, f8 h) {
    const i8 l4 = {0, 1, 2, 3, 8, 9, 10, 11}, h4 = {4, 5, 6, 7, 12, 13, 14, 15};
    const i8 l2 = {0, 1, 8, 9, 4, 5, 12, 13}, h2 = {2, 3, 10, 11, 6, 7, 14, 15};
    const i8 l1 = {0, 8, 2, 10, 4, 12, 6, 14}, h1 = {1, 9, 3, 11, 5, 13, 7, 15};
    f8 ae = fold(a, e, l4, h4), bf = fold(b, f, l4, h4), cg = fold(c, g, l4, h4), dh = fold(d, h, l4, h4);
    return fold(fold(ae, cg, l2, h2), fold(bf, dh, l2, h2), l1, h1);
}

void gather_items(const int64_t *items, int64_t count, float *walks, const float *tile, float floor_) {
    f8 floor = spread(floor_), zero = spread(0);
    for (int64_t i = 0; i < count; i++) {
        int64_t item = items[i], rows = item & 63, row = (item >> ROW_SHIFT) & (TILE - 1);
        const float *at = tile + ((item >> BLOCK_SHIFT) & (BLOCKS - 1)) * BLOCK_STRIDE + row * ROW;
        float *p = walks + i * WALK_FIELDS;
        f8 w = load(p + W_WEIGHT), r = load(p + W_RATIO), q = spread(p[W_RATIO_STEP]);
        f8 a0 = spread(p[W_AMPLITUDE]), a1 = spread(p[W_AMPLITUDE + 1]), a2 = spread(p[W_AMPLITUDE + 2]);
        f8 t0 = zero, t1 = zero, t2 = zero, u = zero, s1 = zero, s2 = zero;
        for (int64_t k = 0; k < rows; k++, at += ROW) {
            f8 g0 = load(at), g1 = load(at + BLOCK), g2 = load(at + 2 * BLOCK), weight = positive(w - floor);
            t0 = weight * g0 + t0;
            t1 = weight * g1 + t1;
            t2 = weight * g2 + t2;
            f8 slope = a2 * g2 + (a1 * g1 + a0 * g0);
            u = (f8)((i8)w & (w > floor)) * slope + u;
            s1 += u;
            s2 += s1;
            w *= r;
            r *= q;
        }
        f8 dx = LANES + spread(p[W_LEFT]), s = spread(p[W_SHEAR]) * dx + spread(p[W_ABOVE]);
        f8 end = s + spread((float)rows), first = end * u - s1, second = end * (first - s1) + (s2 + s2 - s1), ux = dx * u;
        store(p + W_WEIGHT, totals(t0, t1, t2, ux, first, dx * ux, dx * first, second));
    }
}
