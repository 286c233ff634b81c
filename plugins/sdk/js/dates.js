// Dates are days since 1970-01-01, minutes are minutes since 1970-01-01T00:00, both in the prefecture's time: plain whole numbers, so that they
// compare and add. In a customer a date that is not known is `null`.

/** The contract's "none" of a date. */
export const NO_DATE = -2147483648;
/** The contract's "none" of a civil minute: -2^63, which a double holds exactly. */
export const NO_MINUTE = -9223372036854775808;

/** The date of year-month-day. After Howard Hinnant's `days_from_civil`. */
export function date(year, month, day) {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  return era * 146097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719468;
}

/** Year, month and day of a date. After Howard Hinnant's `civil_from_days`. */
export function ymd(date) {
  const z = date + 719468;
  const era = Math.floor(z / 146097);
  const doe = z - era * 146097;
  const yoe = Math.floor((doe - Math.floor(doe / 1460) + Math.floor(doe / 36524) - Math.floor(doe / 146096)) / 365);
  const doy = doe - (365 * yoe + Math.floor(yoe / 4) - Math.floor(yoe / 100));
  const mp = Math.floor((5 * doy + 2) / 153);
  const month = mp < 10 ? mp + 3 : mp - 9;
  return { year: yoe + era * 400 + (month <= 2 ? 1 : 0), month, day: doy - Math.floor((153 * mp + 2) / 5) + 1 };
}

/** Monday is 0, Sunday is 6. 1970-01-01 was a Thursday. */
export function weekday(date) {
  return (((date + 3) % 7) + 7) % 7;
}

/** The minute of `hour`:`minute` on a date. */
export function at(date, hour = 0, minute = 0) {
  return date * 1440 + hour * 60 + minute;
}
