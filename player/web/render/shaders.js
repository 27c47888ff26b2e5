/** Shaders of the two passes (SYNTAX.md §8.3): Gaussians summed into a float target, then Y'CbCr to R'G'B'. */

/** Texels of a row of the texture that holds the Gaussians. */
export const DATA_WIDTH = 1024;

/** A quad around the support of each Gaussian alive, as two triangles of one long list: as instances of four vertices a
 * software renderer needs more than twice the time, for it takes each as a draw of its own (docs/player.md). Values
 * come from pixel coordinates, not from interpolation, so they do not depend on how vertices are snapped to a grid. */
export const SPLAT_VERTEX = `#version 300 es
precision highp float;
precision highp sampler2D;
uniform sampler2D gaussians;
uniform int texelsPerGaussian;
uniform float time;
uniform ivec4 points;       // texel and half of four control points: 2 texel + half, -1 for none
uniform vec4 weights;       // theirs
uniform vec2 scale;         // output px per source px
uniform vec2 origin;        // source px of the output's corner
uniform vec2 size;          // output px
flat out vec2 centre;       // output px, pixel centres on halves
flat out vec3 form;         // inverse covariance xx, xy, yy in output px, times -1/2
flat out vec3 amplitude;

const float CUT = 4.0;      // the support ends where the exponent is -4 …
const float LIFE_CUT = 5.0; // … and a life where its is -5

vec4 texel(int index) {
  return texelFetch(gaussians, ivec2(index % ${DATA_WIDTH}, index / ${DATA_WIDTH}), 0);
}

void main() {
  int start = gl_VertexID / 6 * texelsPerGaussian;
  vec4 place = texel(start);
  vec4 shape = texel(start + 1);
  vec3 colour = texel(start + 2).xyz;
  float age = (time - place.z) * place.w;
  float life = -0.5 * age * age;
  gl_Position = vec4(2.0, 2.0, 2.0, 1.0);  // outside: nothing is drawn
  centre = vec2(0.0);
  form = vec3(0.0);
  amplitude = vec3(0.0);
  if (life < -LIFE_CUT) return;
  vec2 mean = place.xy;
  for (int j = 0; j < 4; j++) {
    if (points[j] < 0) continue;
    vec4 pair = texel(start + 3 + (points[j] >> 1));
    mean += weights[j] * ((points[j] & 1) == 1 ? pair.zw : pair.xy);
  }
  centre = (mean + 0.5 - origin) * scale;
  amplitude = colour * exp(life);
  vec2 u = shape.zw;
  vec2 v = vec2(-u.y, u.x);
  vec2 inverse = 1.0 / (shape.xy * shape.xy);
  form = -0.5 * vec3(
    (u.x * u.x * inverse.x + v.x * v.x * inverse.y) / (scale.x * scale.x),
    (u.x * u.y * inverse.x + v.x * v.y * inverse.y) / (scale.x * scale.y),
    (u.y * u.y * inverse.x + v.y * v.y * inverse.y) / (scale.y * scale.y)
  );
  int vertex = gl_VertexID % 6;  // two triangles of the corners 0 1 2 and 3 2 1
  int number = vertex < 3 ? vertex : 6 - vertex;
  vec2 corner = vec2(number & 1, number >> 1) * 2.0 - 1.0;
  // a sixteenth of a pixel more, whatever the vertices are rounded to
  vec2 reach = shape.xy * sqrt(2.0 * CUT) + 0.0625 / min(scale.x, scale.y);
  vec2 position = centre + scale * (u * corner.x * reach.x + v * corner.y * reach.y);
  gl_Position = vec4(position / size * 2.0 - 1.0, 0.0, 1.0);
}
`;

export const SPLAT_FRAGMENT = `#version 300 es
precision highp float;
flat in vec2 centre;
flat in vec3 form;
flat in vec3 amplitude;
out vec4 sum;

void main() {
  vec2 d = gl_FragCoord.xy - centre;
  float e = form.x * d.x * d.x + 2.0 * form.y * d.x * d.y + form.z * d.y * d.y;
  if (e < -4.0) discard;
  sum = vec4(amplitude * (exp(e) - 0.01831563888873418), 0.0);  // exp(-4): no step where the support ends
}
`;

/** One triangle that covers the target. */
export const COVER_VERTEX = `#version 300 es
void main() {
  gl_Position = vec4(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0, 0.0, 1.0);
}
`;

/** Grain comes from the texture of both tiles, the second right of the first: at the coded size one value of each, else
 * interpolated between four.
 *
 * Row 0 of the sums is the picture's top row; the canvas counts from below. Turns by quarters on the way. */
export const COLOUR_FRAGMENT = `#version 300 es
precision highp float;
precision highp sampler2D;
uniform sampler2D sums;
uniform vec3 base;
uniform mat3 rgb;
uniform ivec2 size;         // of the target
uniform int turns;          // quarter turns clockwise
uniform highp isampler2D tiles;
uniform bool hasGrain;
uniform ivec4 places;       // x, y of the picture's corner within each tile
uniform vec2 pitch;         // source px per output px
uniform vec2 origin;        // source px of the output's corner
uniform float strengths[8]; // at levels of luma, of a grain of 1
out vec4 colour;

float grainAt(ivec2 p) {
  ivec2 a = (p + places.xy) & 255;
  ivec2 b = (p + places.zw) % 243;
  return float(texelFetch(tiles, a, 0).x + texelFetch(tiles, ivec2(b.x + 256, b.y), 0).x);
}

float grainOf(vec2 pixel, float luma) {
  vec2 position = (pixel + 0.5) * pitch - 0.5 + origin;
  vec2 corner = floor(position);
  vec2 w = position - corner;
  ivec2 p = ivec2(corner);
  float grain = grainAt(p);
  if (w != vec2(0.0)) {
    grain = mix(grain, grainAt(p + ivec2(1, 0)), w.x);
    grain = mix(grain, mix(grainAt(p + ivec2(0, 1)), grainAt(p + ivec2(1, 1)), w.x), w.y);
  }
  float place = clamp(8.0 * luma - 0.5, 0.0, 7.0);
  int low = min(int(place), 6);
  return grain * mix(strengths[low], strengths[low + 1], place - float(low));
}

void main() {
  ivec2 p = ivec2(gl_FragCoord.xy);
  p.y = size.y - 1 - p.y;
  ivec2 q = p;
  if (turns == 1) q = ivec2(p.y, size.x - 1 - p.x);
  if (turns == 2) q = ivec2(size.x - 1 - p.x, size.y - 1 - p.y);
  if (turns == 3) q = ivec2(size.y - 1 - p.y, p.x);
  vec3 ycc = texelFetch(sums, q, 0).xyz + base;
  if (hasGrain) ycc.x += grainOf(vec2(q), ycc.x);
  colour = vec4(rgb * ycc, 1.0);
}
`;
