/* The same online learning loops in C: SRBP, dense layers, counters on. Written from docs/substrate.md.
   Rows are padded to `stride` columns, as the engine's are; both compilers are free to vectorise. */
#include <stdint.h>
#include <string.h>

#define MOST 4096

typedef struct {
    int32_t n_in, n_out, stride, bias_code, address_shift, address_low, address_high, table;
    int32_t update_shift, received_shift, weight_high, is_output;
    int8_t *weights, *feedback;
    int64_t *events, *codes, *counts; /* counts: pairs, attempted, changed, clipped, rows, preactivation clipped */
} Layer;

static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}
static uint64_t fold(uint64_t h, uint64_t x) { return mix(h + 0x9E3779B97F4A7C15ull * (x + 1)); }

static int32_t nearest(int32_t x, int s) {
    if (s <= 0) return x * (1 << -s);
    return (x + (1 << (s - 1)) - 1 + ((x >> s) & 1)) >> s;
}
static int32_t clip(int32_t x, int32_t low, int32_t high) { return x < low ? low : x > high ? high : x; }

static int accumulate(int32_t *restrict sums, const int8_t *restrict w, int stride, const int32_t *unit, const int32_t *code, int n) {
    int e = 0;
    for (; e + 4 <= n; e += 4) {
        const int8_t *a = w + (int64_t)unit[e] * stride, *b = w + (int64_t)unit[e + 1] * stride;
        const int8_t *c = w + (int64_t)unit[e + 2] * stride, *d = w + (int64_t)unit[e + 3] * stride;
        int32_t p = code[e], q = code[e + 1], r = code[e + 2], s = code[e + 3];
        for (int j = 0; j < stride; j++) sums[j] += p * a[j] + q * b[j] + r * c[j] + s * d[j];
    }
    for (; e < n; e++) {
        const int8_t *a = w + (int64_t)unit[e] * stride;
        for (int j = 0; j < stride; j++) sums[j] += code[e] * a[j];
    }
    return n;
}

static void row_16(int8_t *restrict w, int stride, int16_t code, const int16_t *restrict y, uint64_t word, int s, int16_t high,
                   int64_t *counts) {
    int16_t changed = 0, clipped = 0;
    uint16_t mask = (uint16_t)((1u << s) - 1);
    uint16_t begin = (uint16_t)word, step = (uint16_t)(word >> 32);
    int fs = s < 15 ? s : 15;
    for (int j = 0; j < stride; j++) {
        uint16_t u = (uint16_t)((uint16_t)(begin + step * (uint16_t)j) >> (16 - s));
        int16_t old = w[j], p = (int16_t)(code * y[j]);
        int16_t v = (int16_t)(old + (int16_t)(p >> fs) + (u > (uint16_t)(~p & mask)));
        int16_t kept = v < -high ? -high : v > high ? high : v;
        changed += kept != old;
        clipped += kept != v;
        w[j] = (int8_t)kept;
    }
    counts[2] += changed;
    counts[3] += clipped;
}

static void row_32(int8_t *restrict w, int stride, int32_t code, const int32_t *restrict y, uint64_t word, int s, int32_t high,
                   int64_t *counts) {
    int32_t changed = 0, clipped = 0;
    uint32_t begin = (uint32_t)word, step = (uint32_t)(word >> 32);
    if (s <= 16) begin <<= 16, step <<= 16;
    for (int j = 0; j < stride; j++) {
        int32_t u = (int32_t)((begin + step * (uint32_t)j) >> (32 - s));
        int32_t old = w[j], v = old + ((code * y[j] + u) >> s);
        int32_t kept = v < -high ? -high : v > high ? high : v;
        changed += kept != old;
        clipped += kept != v;
        w[j] = (int8_t)kept;
    }
    counts[2] += changed;
    counts[3] += clipped;
}

/* One pass over the samples. Words: inputs unsigned 7 bits, e of 17 bits, R of 10 bits. Returns how many were right. */
int64_t train(Layer *layers, int n_layers, const uint8_t *inputs, const int64_t *labels, int64_t n_samples, const int32_t *tables,
              const int64_t *thresholds, const int64_t *decoded, int n_levels, uint64_t seed, int rate, int64_t step) {
    static int32_t unit[8][MOST + 2], code[8][MOST + 2], out[8][MOST], address[8][MOST], slope[8][MOST], signal[8][MOST], sums[MOST];
    static int16_t narrow[MOST];
    int count[8];
    int64_t right = 0;
    for (int64_t t = 0; t < n_samples; t++, step++) {
        for (int h = 0; h < n_layers; h++) {
            Layer *l = layers + h;
            int n = 0;
            if (h == 0)
                for (int i = 0; i < l->n_in; i++) { int c = inputs[t * l->n_in + i]; unit[0][n] = i; code[0][n] = c; n += c != 0; }
            else
                for (int i = 0; i < l->n_in; i++) { int c = out[h - 1][i]; unit[h][n] = i; code[h][n] = c; n += c != 0; }
            unit[h][n] = l->n_in; code[h][n] = l->bias_code; n++;
            for (int e = 0; e < n; e++) l->events[unit[h][e]]++;
            count[h] = n;
            memset(sums, 0, sizeof(int32_t) * l->stride);
            accumulate(sums, l->weights, l->stride, unit[h], code[h], n);
            for (int j = 0; j < l->n_out; j++) {
                int32_t exact = nearest(sums[j], l->address_shift), a = clip(exact, l->address_low, l->address_high);
                l->counts[5] += a != exact;
                address[h][j] = a;
            }
            if (!l->is_output) {
                for (int j = 0; j < l->n_out; j++) {
                    int32_t entry = tables[l->table + address[h][j] - l->address_low];
                    out[h][j] = entry >> 8;
                    slope[h][j] = entry & 255;
                }
            } else {
                int32_t most = address[h][0], best = 0;
                int64_t total = 0;
                for (int j = 1; j < l->n_out; j++) if (address[h][j] > most) { most = address[h][j]; best = j; }
                for (int j = 0; j < l->n_out; j++) { int d = most - address[h][j]; out[h][j] = tables[l->table + (d & 127)] >> (d >> 7); total += out[h][j]; }
                for (int j = 0; j < l->n_out; j++) { int64_t o = ((int64_t)out[h][j] << 16) / total; out[h][j] = o > 65535 ? 65535 : (int32_t)o; }
                right += best == labels[t];
            }
        }
        int last = n_layers - 1, sent = 0;
        int32_t sent_unit[MOST], sent_code[MOST];
        for (int j = 0; j < layers[last].n_out; j++) {
            int32_t e = (j == labels[t] ? 65535 : 0) - out[last][j], m = e < 0 ? -e : e, k = -1;
            signal[last][j] = e;
            for (int q = n_levels - 1; q >= 0 && m >= thresholds[q]; q--) k = q;
            if (e && k >= 0) { layers[last].codes[j]++; sent_unit[sent] = j; sent_code[sent++] = e > 0 ? (int32_t)decoded[k] : -(int32_t)decoded[k]; }
        }
        for (int h = 0; h < last; h++) {
            Layer *l = layers + h;
            memset(sums, 0, sizeof(int32_t) * l->stride);
            accumulate(sums, l->feedback, l->stride, sent_unit, sent_code, sent);
            for (int j = 0; j < l->n_out; j++) {
                int32_t r = clip(nearest(sums[j], l->received_shift), -511, 511);
                signal[h][j] = nearest(slope[h][j] * r, 7);
            }
        }
        for (int h = 0; h < n_layers; h++) {
            Layer *l = layers + h;
            int some = 0, most = 0, s = l->update_shift + rate;
            for (int j = 0; j < l->stride; j++) {
                int y = signal[h][j], m = y < 0 ? -y : y;
                some += y != 0;
                if (m > most) most = m;
                narrow[j] = (int16_t)y;
            }
            if (!some) continue;
            l->counts[0] += (int64_t)count[h] * some;
            l->counts[1] += (int64_t)count[h] * some;
            l->counts[4] += count[h];
            uint64_t root = fold(fold(fold(fold(0, seed), 4), (uint64_t)h), (uint64_t)step);
            int fits = s <= 16 && most * 127 < 32768;
            for (int e = 0; e < count[h]; e++) {
                uint64_t word = fold(root, (uint64_t)unit[h][e]);
                int8_t *w = l->weights + (int64_t)unit[h][e] * l->stride;
                if (fits) row_16(w, l->stride, (int16_t)code[h][e], narrow, word, s, (int16_t)l->weight_high, l->counts);
                else row_32(w, l->stride, code[h][e], signal[h], word, s, l->weight_high, l->counts);
            }
        }
    }
    return right;
}
