// What a policy is written with. See plugins/README.md; arrears-reminder-js shows every part.
export { policy } from "./policy.js";
export { choice, counting, fen, flag, list, whole } from "./parameters.js";
export { at, date, weekday, ymd } from "./dates.js";
export { columns, facts, traits, triggers } from "./registry.js";
export { everyone, nobody } from "./interest.js";
