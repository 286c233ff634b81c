package gridbell

import "strconv"

// manifest writes what the policy declares, as wit/manifest.schema.json asks for it.
func (r *running[R, P]) manifest() string {
	w := writer{}
	w.raw("{").pair("name", r.Name).raw(",").pair("version", r.Version).raw(",").pair("description", r.About)
	w.raw(",").pair("topic", r.Topic).raw(`,"triggers":[`)
	for i, t := range r.Triggers {
		w.comma(i).text(t.name)
	}
	w.raw(`],"columns":[`)
	for i, c := range r.Columns {
		w.comma(i).text(c.name)
	}
	w.raw(`],"parameters":{"type":"object","additionalProperties":false,"properties":{`)
	for i, f := range r.fields {
		w.comma(i).text(f.name).raw(":{").pair("title", f.title)
		if f.about != "" {
			w.raw(",").pair("description", f.about)
		}
		f.schema(&w)
		if f.preset != "" {
			w.raw(`,"default":`)
			if f.kind == counting {
				w.text(f.preset)
			} else {
				w.raw(f.preset)
			}
		}
		w.raw("}")
	}
	w.raw(`}},"notices":[`)
	for i, n := range notices {
		w.comma(i).raw("{").pair("name", n.name).raw(",").pair("title", n.title)
		for k, a := range n.args {
			w.raw(`,"arg`).raw(strconv.Itoa(k)).raw(`":{`).pair("name", a.name).raw(",").pair("unit", a.unit).raw("}")
		}
		w.raw("}")
	}
	w.raw(`],"reasons":[`)
	for i, n := range reasons {
		w.comma(i).raw("{").pair("name", n.name).raw(",").pair("title", n.title).raw("}")
	}
	w.raw(`],"routes":[`)
	for i, n := range routes {
		w.comma(i).text(n.name)
	}
	w.raw("]}")
	return string(w.out)
}

func (f *field) schema(w *writer) {
	switch f.kind {
	case whole:
		w.raw(",").number(f.least, f.most)
	case money:
		w.raw(",").number(f.least, f.most).raw(`,"x-unit":"fen"`)
	case flag:
		w.raw(`,"type":"boolean"`)
	case counting:
		w.raw(`,"type":"string","enum":["calendar","working"],"x-enum-titles":["自然日","工作日（含调休）"]`)
	case list:
		w.raw(`,"type":"array","maxItems":`).raw(strconv.Itoa(maxList)).raw(`,"uniqueItems":true,"items":{`)
		w.number(f.least, f.most).raw("}")
	}
}

type writer struct{ out []byte }

func (w *writer) raw(text string) *writer {
	w.out = append(w.out, text...)
	return w
}

func (w *writer) comma(i int) *writer {
	if i > 0 {
		return w.raw(",")
	}
	return w
}

// text writes a quoted text.
func (w *writer) text(text string) *writer {
	w.raw(`"`)
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			w.out = append(w.out, '\\', c)
		case c < ' ':
			w.out = append(w.out, ' ')
		default:
			w.out = append(w.out, c)
		}
	}
	return w.raw(`"`)
}

func (w *writer) pair(key, value string) *writer { return w.text(key).raw(":").text(value) }

func (w *writer) number(least, most int64) *writer {
	w.raw(`"type":"integer","minimum":`).raw(strconv.FormatInt(least, 10))
	return w.raw(`,"maximum":`).raw(strconv.FormatInt(most, 10))
}
