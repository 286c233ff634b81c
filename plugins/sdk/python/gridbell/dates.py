"""Dates are days since 1970-01-01, minutes are minutes since 1970-01-01T00:00, both in the prefecture's time: plain whole numbers, so that
they compare and add. In a customer a date that is not known is `None`."""

NO_DATE = -2147483648
"""The contract's "none" of a date."""
NO_MINUTE = -9223372036854775808
"""The contract's "none" of a civil minute."""


def date(year, month, day):
    """The date of year-month-day. After Howard Hinnant's `days_from_civil`."""
    y = year - 1 if month <= 2 else year
    era, year_of_era = divmod(y, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468


def ymd(date):
    """Year, month and day of a date. After Howard Hinnant's `civil_from_days`."""
    era, doe = divmod(date + 719468, 146097)
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    month = mp + 3 if mp < 10 else mp - 9
    return yoe + era * 400 + (month <= 2), month, doy - (153 * mp + 2) // 5 + 1


def weekday(date):
    """Monday is 0, Sunday is 6. 1970-01-01 was a Thursday."""
    return (date + 3) % 7


def at(date, hour=0, minute=0):
    """The minute of `hour`:`minute` on a date."""
    return date * 1440 + hour * 60 + minute
