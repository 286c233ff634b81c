package gridbell

import (
	"errors"
	"reflect"
	"strconv"
	"unsafe"
)

// maxList is how long a list of numbers may be.
const maxList = 8

type kind uint8

const (
	whole kind = iota
	money
	flag
	counting
	list
)

// field is one parameter: where it lies in the author's struct, and what the manifest says about it.
type field struct {
	name, title, about, preset string
	least, most                int64
	kind                       kind
	optional                   bool
	offset                     uintptr
}

// fieldsOf reads the tags of P. It runs once, at upload; what is wrong there is said as the manifest's failure.
func fieldsOf[P any]() []field {
	t := reflect.TypeFor[P]()
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		out := field{
			name: f.Tag.Get("name"), title: f.Tag.Get("title"), about: f.Tag.Get("about"), preset: f.Tag.Get("default"),
			least: bound(f.Tag.Get("least"), -1_000_000_000_000), most: bound(f.Tag.Get("most"), 1_000_000_000_000),
			offset: f.Offset,
		}
		of := f.Type
		if of.Kind() == reflect.Pointer {
			out.optional, of = true, of.Elem()
		}
		switch of {
		case reflect.TypeFor[int64]():
			out.kind = whole
		case reflect.TypeFor[Fen]():
			out.kind = money
		case reflect.TypeFor[bool]():
			out.kind = flag
		case reflect.TypeFor[Counting]():
			out.kind = counting
		case reflect.TypeFor[[]int64]():
			out.kind = list
		default:
			panic("parameter " + f.Name + ": its type is none of int64, Fen, bool, Counting, []int64 or a pointer to one")
		}
		fields = append(fields, out)
	}
	return fields
}

func bound(text string, otherwise int64) int64 {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	return otherwise
}

// readParameters fills the struct at p: defaults, then what the text says.
func readParameters[P any](text string, fields []field, p *P) error {
	base := unsafe.Pointer(p)
	for i := range fields {
		if f := &fields[i]; f.preset != "" {
			preset := reader{text: f.preset}
			preset.into(f, base)
		}
	}
	r := reader{text: text}
	for more := r.open('{'); more; more = r.more('}') {
		key := r.string()
		r.expect(':')
		known := false
		for i := range fields {
			if fields[i].name == key {
				r.into(&fields[i], base)
				known = true
				break
			}
		}
		if !known {
			r.skip()
		}
	}
	if r.wrong {
		return errors.New("parameters: cannot be read")
	}
	return nil
}

// set writes a value into a field or, where it is optional, a pointer to it.
func set[T any](f *field, base unsafe.Pointer, value T) {
	at := unsafe.Add(base, f.offset)
	if f.optional {
		*(**T)(at) = &value
	} else {
		*(*T)(at) = value
	}
}

func (r *reader) into(f *field, base unsafe.Pointer) {
	switch f.kind {
	case whole:
		set(f, base, r.integer())
	case money:
		set(f, base, Fen(r.integer()))
	case flag:
		set(f, base, r.boolean())
	case counting:
		set(f, base, Counting(r.string() == "working"))
	case list:
		values := make([]int64, 0, maxList)
		for more := r.open('['); more; more = r.more(']') {
			values = append(values, r.integer())
		}
		set(f, base, values)
	}
}

// reader reads the JSON that the host passes: valid against the manifest's schema.
type reader struct {
	text  string
	at    int
	wrong bool
}

func (r *reader) peek() byte {
	for r.at < len(r.text) {
		switch c := r.text[r.at]; c {
		case ' ', '\n', '\r', '\t':
			r.at++
		default:
			return c
		}
	}
	return 0
}

func (r *reader) eat(c byte) bool {
	if r.peek() != c {
		return false
	}
	r.at++
	return true
}

func (r *reader) expect(c byte) {
	if !r.eat(c) {
		r.wrong = true
	}
}

// open steps into an object or list; more goes from one member to the next.
func (r *reader) open(bracket byte) bool {
	r.expect(bracket)
	return !r.wrong && !r.eat(bracket+2)
}

func (r *reader) more(end byte) bool {
	if r.wrong || r.eat(end) {
		return false
	}
	r.expect(',')
	return !r.wrong
}

func (r *reader) string() string {
	r.expect('"')
	from := r.at
	for r.at < len(r.text) && r.text[r.at] != '"' {
		if r.text[r.at] == '\\' {
			r.at++
		}
		r.at++
	}
	if r.wrong || r.at >= len(r.text) {
		r.wrong = true
		return ""
	}
	r.at++
	return r.text[from : r.at-1]
}

func (r *reader) integer() int64 {
	negative := r.eat('-')
	if c := r.peek(); c < '0' || c > '9' {
		r.wrong = true
	}
	var value int64
	for r.at < len(r.text) && r.text[r.at] >= '0' && r.text[r.at] <= '9' {
		if value > (most-9)/10 {
			r.wrong = true
			return 0
		}
		value = value*10 + int64(r.text[r.at]-'0')
		r.at++
	}
	// 7.0 is a whole number too.
	if r.at < len(r.text) && r.text[r.at] == '.' {
		for r.at++; r.at < len(r.text) && r.text[r.at] == '0'; r.at++ {
		}
	}
	if negative {
		return -value
	}
	return value
}

func (r *reader) boolean() bool {
	value := r.peek() == 't'
	r.skip()
	return value
}

func (r *reader) skip() {
	switch r.peek() {
	case '{':
		for more := r.open('{'); more; more = r.more('}') {
			r.string()
			r.expect(':')
			r.skip()
		}
	case '[':
		for more := r.open('['); more; more = r.more(']') {
			r.skip()
		}
	case '"':
		r.string()
	default:
		for r.at < len(r.text) && r.text[r.at] != ',' && r.text[r.at] != '}' && r.text[r.at] != ']' {
			r.at++
		}
	}
}
