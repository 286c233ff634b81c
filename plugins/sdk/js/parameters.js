// Kinds of parameters: how each is described in the manifest's schema, which makes the form and the checks that an office meets.
//
// One without a `default` may be left out, and is then `undefined`.

// 10 billion yuan: the host takes no larger amount either.
const MOST_FEN = 1_000_000_000_000;

function range(given, kind) {
  if (!Array.isArray(given) || given.length !== 2 || !given.every(Number.isInteger) || given[0] > given[1]) {
    throw new Error(`a parameter of kind \`${kind}\` needs \`range: [least, most]\` in whole numbers`);
  }
  return given;
}

/** A parameter: title and description for the office, the kind's own keywords, the default. */
function parameter(about, keywords) {
  if (typeof about.title !== "string") throw new Error("a parameter needs a `title`, which is what an office reads");
  const schema = { title: about.title };
  if (about.description !== undefined) schema.description = about.description;
  Object.assign(schema, keywords);
  if (about.default !== undefined) schema.default = about.default;
  return { schema };
}

function wholeKeywords([minimum, maximum]) {
  return { type: "integer", minimum, maximum };
}

/** A whole number. */
export function whole(about) {
  return parameter(about, wholeKeywords(range(about.range, "whole")));
}

/** An amount in fen, 1/100 yuan. */
export function fen(about) {
  return parameter(about, { ...wholeKeywords(range(about.range ?? [-MOST_FEN, MOST_FEN], "fen")), "x-unit": "fen" });
}

/** Yes or no. */
export function flag(about) {
  return parameter(about, { type: "boolean" });
}

/** One of several words, each with what an office reads. */
export function choice(words, about) {
  return parameter(about, { type: "string", enum: Object.keys(words), "x-enum-titles": Object.values(words) });
}

/** How days are counted: "calendar" or "working". */
export function counting(about) {
  return choice({ calendar: "自然日", working: "工作日（含调休）" }, about);
}

/** A list of whole numbers, each once. `most` is how many there may be. */
export function list(about) {
  if (!Number.isInteger(about.most) || about.most < 1) throw new Error("a list needs `most`: how many numbers it may hold");
  const items = wholeKeywords(range(about.range, "list"));
  return parameter(about, { type: "array", maxItems: about.most, uniqueItems: true, items });
}
