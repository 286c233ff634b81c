// Package gridbell is the guest SDK of Gridbell in Go: write a notification policy as one function over one customer.
//
// Declare what the policy looks at and can say, give Export the three functions, and build with
// GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared. Declarations run once, when the plugin is uploaded: the host keeps the memory
// that they leave, and each batch begins with a copy of it.
//
// A policy reads no clock, draws no random number and remembers nothing: whatever it may know stands in its arguments.
package gridbell

// Policy is what an author declares: R is the rule's own figures, P a struct of parameters (see Parameters below), filled before Prepare.
//
//	type parameters struct {
//		Days    int64   `name:"days" default:"3" least:"1" most:"60" title:"提前天数" about:"违约金起算日之前多少天开始提醒。"`
//		Minimum Fen     `name:"minimum" default:"100" least:"1" most:"100000000" title:"最低欠费金额（分）"`
//		Steps   []int64 `name:"steps" default:"[7,3,1]" least:"1" most:"60" title:"提前天数"`
//	}
//
// Kinds of parameters: int64, Fen, bool, Counting, []int64 (at most 8), and pointers to these, which are nil where an office sets nothing.
type Policy[R, P any] struct {
	Name, Version, Topic, About string
	Triggers                    []Trigger
	Columns                     []Column
	// Prepare computes the rule's figures for one run, once for each batch. An error fails the run, in words for the operator.
	Prepare func(run *Run, parameters *P) (R, error)
	// Interest bounds whom Decide could choose at all; whoever lies outside must get no notice.
	Interest func(rule *R) Interest
	// Decide answers for one customer.
	Decide func(rule *R, customer Customer) Answer
}

// Reason is why a policy says something or nothing. Declare each once, at the top of a file.
type Reason struct{ index uint16 }

// Notice is something that a policy can say. Declare each once, at the top of a file.
type Notice struct{ index uint16 }

// Route is a way that a policy's file gives a meaning. Declare each once, at the top of a file; the first is taken where none is named.
type Route struct{ index uint16 }

// Arg is a number of a notice, for the template.
type Arg struct{ name, unit string }

// Args of a notice, by unit.
func FenArg(name string) Arg   { return Arg{name, "fen"} }
func DateArg(name string) Arg  { return Arg{name, "date"} }
func DaysArg(name string) Arg  { return Arg{name, "days"} }
func KwhArg(name string) Arg   { return Arg{name, "kwh"} }
func CountArg(name string) Arg { return Arg{name, "count"} }

type named struct {
	name, title string
	args        []Arg
}

var reasons, notices, routes []named

// NewReason declares a reason: its name, and what an office reads.
func NewReason(name, title string) Reason {
	reasons = append(reasons, named{name: name, title: title})
	return Reason{uint16(len(reasons) - 1)}
}

// NewNotice declares a notice: its name, what an office reads, and at most two numbers.
func NewNotice(name, title string, args ...Arg) Notice {
	notices = append(notices, named{name, title, args})
	return Notice{uint16(len(notices) - 1)}
}

// NewRoute declares a route.
func NewRoute(name string) Route {
	routes = append(routes, named{name: name})
	return Route{uint16(len(routes) - 1)}
}

// Answer is what a rule answers about one customer: most of them say nothing, so that an answer is only a reason and, where something is
// said, what.
type Answer struct {
	reason uint16
	say    *decision
}

// Skip says nothing, for this reason.
func (r Reason) Skip() Answer { return Answer{reason: r.index} }

// Say says something, with the notice's numbers. Finish with Because.
func (n Notice) Say(args ...int64) Answer {
	d := &decision{step: 1, notice: n.index, notBefore: NoMinute, expires: NoMinute}
	if len(args) > 0 {
		d.arg0 = args[0]
	}
	if len(args) > 1 {
		d.arg1 = args[1]
	}
	return Answer{say: d}
}

// Step is the step of an escalation, from 1: "not twice" is told by it.
func (a Answer) Step(step uint8) Answer { return a.with(func(d *decision) { d.step = step }) }

// Via names another route than the first.
func (a Answer) Via(route Route) Answer { return a.with(func(d *decision) { d.route = route.index }) }

// NotBefore holds the message back until then.
func (a Answer) NotBefore(at Minute) Answer { return a.with(func(d *decision) { d.notBefore = at }) }

// Expires is when the message becomes wrong or pointless.
func (a Answer) Expires(at Minute) Answer { return a.with(func(d *decision) { d.expires = at }) }

// Because says why.
func (a Answer) Because(reason Reason) Answer { a.reason = reason.index; return a }

// with is the answer with a change, made to a copy: an answer is a value, and whoever has the former keeps it as it was.
func (a Answer) with(change func(*decision)) Answer {
	if a.say == nil {
		return a
	}
	d := *a.say
	change(&d)
	return Answer{a.reason, &d}
}

// Interest is whom a rule could choose at all: any of some clauses, each all of its bounds.
type Interest struct {
	everyone bool
	clauses  [][]Bound
}

// Everyone leaves nobody out.
func Everyone() Interest { return Interest{everyone: true} }

// Nobody chooses nobody.
func Nobody() Interest { return Interest{} }

// Whoever meets all of these bounds.
func Whoever(bounds ...Bound) Interest { return Interest{clauses: [][]Bound{bounds}} }

// Or adds those who meet all of these bounds.
func (i Interest) Or(bounds ...Bound) Interest {
	i.clauses = append(i.clauses, bounds)
	return i
}

// Bound compares a column with a constant.
type Bound struct {
	column    uint16
	test      uint8
	low, high int64
}

const (
	least = -1 << 63
	most  = 1<<63 - 1
)

// Between passes low to high, both included; "none" never passes.
func Between[N number](c Column, low, high N) Bound { return Bound{c.id, 0, int64(low), int64(high)} }

// AtLeast passes low and above.
func AtLeast[N number](c Column, low N) Bound { return Bound{c.id, 0, int64(low), most} }

// AtMost passes up to high; "none" never passes.
func AtMost[N number](c Column, high N) Bound { return Bound{c.id, 0, least, int64(high)} }

// HasAll passes where all of these traits are known.
func HasAll(c Column, traits Traits) Bound { return Bound{c.id, 1, int64(traits), 0} }

// HasAny passes where any of these traits is known.
func HasAny(c Column, traits Traits) Bound { return Bound{c.id, 2, int64(traits), 0} }

// HasNone passes where none of these traits is known.
func HasNone(c Column, traits Traits) Bound { return Bound{c.id, 3, int64(traits), 0} }

type number interface {
	~int | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32
}

// plugin is a policy with its types away: what the contract's functions call.
type plugin interface {
	manifest() string
	prepare(run *Run) error
	interest() Interest
	decide(customer Customer, rows int, out []decision) int
	explain(customer Customer, rows int, out []uint16)
	columns() []Column
}

var exported plugin

// Export makes policy the one that the host asks. Call it once, from init.
func Export[R, P any](policy Policy[R, P]) {
	exported = &running[R, P]{Policy: policy, fields: fieldsOf[P]()}
}

type running[R, P any] struct {
	Policy[R, P]
	fields     []field
	parameters P
	rule       R
}

func (r *running[R, P]) columns() []Column { return r.Columns }

func (r *running[R, P]) prepare(run *Run) error {
	if err := readParameters(run.Parameters, r.fields, &r.parameters); err != nil {
		return err
	}
	rule, err := r.Prepare(run, &r.parameters)
	r.rule = rule
	return err
}

func (r *running[R, P]) interest() Interest { return r.Policy.Interest(&r.rule) }

func (r *running[R, P]) decide(customer Customer, rows int, out []decision) int {
	decide, rule, n := r.Policy.Decide, &r.rule, 0
	for row := range rows {
		customer.row = row
		a := decide(rule, customer)
		if a.say != nil {
			out[n] = *a.say
			out[n].row, out[n].reason = uint32(row), a.reason
			n++
		}
	}
	return n
}

func (r *running[R, P]) explain(customer Customer, rows int, out []uint16) {
	for row := range rows {
		customer.row = row
		out[row] = r.Policy.Decide(&r.rule, customer).reason
	}
}

// decision is the contract's record, as it lies in memory.
type decision struct {
	row        uint32
	notice     uint16
	step       uint8
	_          uint8
	reason     uint16
	route      uint16
	_          uint32
	arg0, arg1 int64
	notBefore  Minute
	expires    Minute
}
