package gridbell

import (
	"runtime/debug"
	"unsafe"
)

// The contract's functions as the canonical ABI calls them, and their records as they lie in memory. A fresh instance answers each call,
// so memory is only ever taken, and nothing is collected.

// arenaBytes holds a batch with its decisions; it is there from the start, since growing memory is what a fresh instance pays for most.
const arenaBytes = 768 << 10

var (
	arena  = make([]byte, arenaBytes)
	taken  uintptr
	pinned [][]byte
)

func init() { debug.SetGCPercent(-1) }

// take returns zeroed memory that stays where it is.
func take(size, align uintptr) unsafe.Pointer {
	at := (taken + align - 1) &^ (align - 1)
	if at+size > uintptr(len(arena)) {
		own := make([]byte, size+align)
		pinned = append(pinned, own)
		p := unsafe.Pointer(unsafe.SliceData(own))
		return unsafe.Add(p, (align-uintptr(p)%align)%align)
	}
	taken = at + size
	return unsafe.Add(unsafe.Pointer(unsafe.SliceData(arena)), at)
}

//go:wasmexport cabi_realloc
func realloc(old unsafe.Pointer, oldSize, align, size uint32) unsafe.Pointer {
	p := take(uintptr(size), uintptr(max(align, 8)))
	if oldSize > 0 {
		copy(unsafe.Slice((*byte)(p), size), unsafe.Slice((*byte)(old), oldSize))
	}
	return p
}

// wireText is a text or a list: Go's own pointers have eight bytes here, the contract's four.
type wireText struct{ at, len uint32 }

func address(p unsafe.Pointer) uint32 { return uint32(uintptr(p)) }

func (t wireText) pointer() unsafe.Pointer { return unsafe.Pointer(uintptr(t.at)) }

func (t wireText) string() string { return unsafe.String((*byte)(t.pointer()), t.len) }

func wired(text string) wireText {
	return wireText{address(unsafe.Pointer(unsafe.StringData(text))), uint32(len(text))}
}

// wireRun is the record run: 64 bytes.
type wireRun struct {
	prefecture        uint32
	_                 uint32
	now               int64
	trigger           uint16
	_                 uint16
	schedule          wireText
	facts             wireText
	params            wireText
	first, knownUntil int32
	bits              wireText
}

// wireBatch follows it: 16 bytes.
type wireBatch struct {
	subject uint8
	_       [3]uint8
	rows    uint32
	columns wireText
}

type wireCall struct {
	run   wireRun
	batch wireBatch
}

type wireColumn struct {
	id     uint16
	_      uint16
	kind   uint8
	_      [3]uint8
	values wireText
}

type wireBound struct {
	column    uint16
	test      uint8
	_         [5]uint8
	low, high int64
}

// A size that is not the contract's does not compile.
var (
	_ = [1]struct{}{}[unsafe.Sizeof(wireRun{})-64]
	_ = [1]struct{}{}[unsafe.Sizeof(wireCall{})-80]
	_ = [1]struct{}{}[unsafe.Sizeof(wireColumn{})-16]
	_ = [1]struct{}{}[unsafe.Sizeof(wireBound{})-24]
	_ = [1]struct{}{}[unsafe.Sizeof(decision{})-48]
	_ = [1]struct{}{}[unsafe.Sizeof(fact{})-16]
)

func (w *wireRun) run() Run {
	return Run{
		Prefecture: w.prefecture, Now: Minute(w.now), Trigger: w.trigger,
		Schedule: w.schedule.string(), Parameters: w.params.string(),
		facts:       unsafe.Slice((*fact)(w.facts.pointer()), w.facts.len),
		first:       Date(w.first),
		knownUntil:  Date(w.knownUntil),
		workingBits: unsafe.Slice((*uint64)(w.bits.pointer()), w.bits.len),
	}
}

// result is the beginning of every result<list, string>.
type result struct {
	failed uint8
	_      [3]uint8
	list   wireText
}

func failure(words string) result { return result{failed: 1, list: wired(words)} }

// saved turns a panic of the author's code into the error that the run fails with.
func saved(into *result) {
	switch e := recover().(type) {
	case nil:
	case error:
		*into = failure("the policy panicked: " + e.Error())
	case string:
		*into = failure("the policy panicked: " + e)
	default:
		*into = failure("the policy panicked")
	}
}

var (
	answerText     wireText
	answer         result
	answerInterest struct {
		failed uint8
		_      [3]uint8
		// Of an error its text; else the case, and of any-of its list.
		word0, word1, word2 uint32
	}
)

//go:wasmexport gridbell:policy/plugin@0.1.0#manifest
func exportManifest() unsafe.Pointer {
	answerText = wired(exported.manifest())
	return unsafe.Pointer(&answerText)
}

//go:wasmexport gridbell:policy/plugin@0.1.0#interest
func exportInterest(
	prefecture uint32, now int64, trigger, schedule, scheduleLen, facts, factCount, params, paramsLen uint32,
	first, knownUntil int32, bits, words uint32,
) unsafe.Pointer {
	wire := wireRun{
		prefecture: prefecture, now: now, trigger: uint16(trigger), schedule: wireText{schedule, scheduleLen},
		facts: wireText{facts, factCount}, params: wireText{params, paramsLen}, first: first, knownUntil: knownUntil,
		bits: wireText{bits, words},
	}
	run := wire.run()
	askInterest(&run)
	if answer.failed != 0 {
		answerInterest.failed = 1
		answerInterest.word0, answerInterest.word1 = answer.list.at, answer.list.len
	}
	return unsafe.Pointer(&answerInterest)
}

func askInterest(run *Run) {
	defer saved(&answer)
	if err := exported.prepare(run); err != nil {
		answer = failure(err.Error())
		return
	}
	interest := exported.interest()
	if interest.everyone {
		return
	}
	clauses := unsafe.Slice((*wireText)(take(uintptr(len(interest.clauses))*8, 8)), len(interest.clauses))
	for i, bounds := range interest.clauses {
		list := unsafe.Slice((*wireBound)(take(uintptr(len(bounds))*24, 8)), len(bounds))
		for k, b := range bounds {
			list[k] = wireBound{column: b.column, test: b.test, low: b.low, high: b.high}
		}
		clauses[i] = wireText{address(unsafe.Pointer(unsafe.SliceData(list))), uint32(len(list))}
	}
	answerInterest.word0 = 1
	answerInterest.word1, answerInterest.word2 = address(unsafe.Pointer(unsafe.SliceData(clauses))), uint32(len(clauses))
}

//go:wasmexport gridbell:policy/plugin@0.1.0#decide
func exportDecide(call unsafe.Pointer) unsafe.Pointer {
	ask((*wireCall)(call), func(customer Customer, rows int) wireText {
		list := unsafe.Slice((*decision)(take(uintptr(rows)*48, 8)), rows)
		n := exported.decide(customer, rows, list)
		return wireText{address(unsafe.Pointer(unsafe.SliceData(list))), uint32(n)}
	})
	return unsafe.Pointer(&answer)
}

//go:wasmexport gridbell:policy/plugin@0.1.0#explain
func exportExplain(call unsafe.Pointer) unsafe.Pointer {
	ask((*wireCall)(call), func(customer Customer, rows int) wireText {
		list := unsafe.Slice((*uint16)(take(uintptr(rows)*2, 8)), rows)
		exported.explain(customer, rows, list)
		return wireText{address(unsafe.Pointer(unsafe.SliceData(list))), uint32(rows)}
	})
	return unsafe.Pointer(&answer)
}

func ask(call *wireCall, over func(Customer, int) wireText) {
	defer saved(&answer)
	if call.batch.subject != 0 {
		answer = failure("batch: this plugin decides about customers only")
		return
	}
	run := call.run.run()
	if err := exported.prepare(&run); err != nil {
		answer = failure(err.Error())
		return
	}
	rows := int(call.batch.rows)
	passed := unsafe.Slice((*wireColumn)(call.batch.columns.pointer()), call.batch.columns.len)
	wanted := exported.columns()
	var values columnValues
	for i, c := range wanted {
		if i >= len(passed) || passed[i].id != c.id || passed[i].kind != c.kind || int(passed[i].values.len) != rows {
			answer = failure("batch: a column is not the one asked for")
			return
		}
		values.set(c.id, passed[i].values.pointer(), rows)
	}
	answer = result{list: over(Customer{values: &values}, rows)}
}
