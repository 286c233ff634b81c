package gridbell

// Fen is money, 1/100 yuan.
type Fen int64

// Date is days since 1970-01-01, in the prefecture's time.
type Date int32

// NoDate is a date that is not known; it is earlier than every date.
const NoDate Date = -1 << 31

// Minute is minutes since 1970-01-01T00:00, in the prefecture's time.
type Minute int64

// NoMinute is no time at all.
const NoMinute Minute = -1 << 63

// Traits are bits of the column traits.
type Traits uint32

// Has says whether all of these are among them.
func (t Traits) Has(traits Traits) bool { return t&traits == traits }

// Plus is so many days later.
func (d Date) Plus(days int64) Date { return Date(int64(d) + days) }

// Since is how many days it is after another date.
func (d Date) Since(other Date) int64 { return int64(d) - int64(other) }

// At is a time on that date.
func (d Date) At(hour, minute int) Minute { return Minute(int64(d)*1440 + int64(hour*60+minute)) }

// Counting says which days are counted.
type Counting bool

// Calendar days are all days; Working days are those on which people work, moved weekends (调休) included.
const (
	Calendar Counting = false
	Working  Counting = true
)

// Run is what every batch of one run shares.
type Run struct {
	// Prefecture is its GB/T 2260 code.
	Prefecture uint32
	Now        Minute
	Trigger    uint16
	// Schedule is the schedule's name in the policy, where the trigger is one.
	Schedule string
	// Parameters is the JSON that Prepare gets read.
	Parameters  string
	facts       []fact
	first       Date
	knownUntil  Date
	workingBits []uint64
}

type fact struct {
	id    uint16
	_     [6]uint8
	value int64
}

// Today is the date of the run.
func (r *Run) Today() Date {
	day := r.Now / 1440
	if r.Now%1440 < 0 {
		day--
	}
	return Date(day)
}

// Fact is a number about the trigger, if it was given.
func (r *Run) Fact(f Fact) (int64, bool) {
	for i := range r.facts {
		if r.facts[i].id == f.id {
			return r.facts[i].value, true
		}
	}
	return 0, false
}

// Works says whether people work on that date: Monday to Friday where the calendar does not know.
func (r *Run) Works(date Date) bool {
	n := int64(date) - int64(r.first)
	if n >= 0 && date <= r.knownUntil && n/64 < int64(len(r.workingBits)) {
		return r.workingBits[n/64]>>(n%64)&1 == 1
	}
	weekday := (int64(date) + 3) % 7
	if weekday < 0 {
		weekday += 7
	}
	return weekday < 5
}

// Ahead is the last date with at most so many days from today (included) to it (not included).
func (r *Run) Ahead(days int64, counting Counting) Date {
	today := r.Today()
	if counting == Calendar {
		return today.Plus(days)
	}
	date := today
	// Ten years ahead at most: a calendar without a working day ends somewhere.
	for range 3660 {
		if r.Works(date) {
			if days == 0 {
				break
			}
			days--
		}
		date++
	}
	return date
}
