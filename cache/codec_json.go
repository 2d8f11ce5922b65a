package cache

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
)

// checkJSON refuses a type that JSON, where nobody has chosen it, does not make again, and
// one of which it would lose a field: a first Get would have it, from the loader, and a
// second one not.
func checkJSON(t reflect.Type) error {
	if part := notJSON(t, make(map[reflect.Type]bool)); part != nil {
		return configError("Codec", "nil, which is JSON", fmt.Sprintf("one that makes a %v again, of which %v is made: JSON does not. Set a Codec; JSON[V]{} if it is nil always", part, t))
	}
	if field := lostField(t, make(map[reflect.Type]bool)); field != "" {
		return configError("Codec", "nil, which is JSON", fmt.Sprintf("one that keeps field %s of %v: JSON loses it. Export the field, or set a Codec; JSON[V]{} if it may be lost", field, t))
	}
	return nil
}

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// notJSON returns a type, of those that a type is made of, that JSON cannot write, or that
// it could not know what to read into, as an interface that has methods; nil: there is none.
func notJSON(t reflect.Type, seen map[reflect.Type]bool) reflect.Type {
	if seen[t] {
		return nil
	}
	seen[t] = true
	if hasText(t) {
		return nil
	}
	switch kind := t.Kind(); {
	case kind == reflect.Chan, kind == reflect.Func, kind == reflect.Complex64, kind == reflect.Complex128, kind == reflect.UnsafePointer,
		kind == reflect.Interface && t.NumMethod() > 0, kind == reflect.Map && !isKeyJSON(t.Key()):
		return t
	case kind == reflect.Pointer, kind == reflect.Slice, kind == reflect.Array, kind == reflect.Map:
		return notJSON(t.Elem(), seen)
	case kind == reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Name == "_" || f.Tag.Get("json") == "-" || !f.IsExported() && !f.Anonymous {
				continue // JSON leaves it out: see lostField
			}
			if part := notJSON(f.Type, seen); part != nil {
				return part
			}
		}
	}
	return nil
}

// isKeyJSON says whether JSON has maps with such keys.
func isKeyJSON(t reflect.Type) bool {
	return t.Kind() == reflect.String || t.Kind() >= reflect.Int && t.Kind() <= reflect.Uintptr || t.Implements(textMarshaler) || hasText(t)
}

// hasText says that a type makes its own text.
func hasText(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(jsonMarshaler) || p.Implements(textMarshaler)
}

// lostField returns the first field that JSON leaves out, as "Home.street", or "". A type
// that makes its own text is believed, and so is what an interface holds.
func lostField(t reflect.Type, seen map[reflect.Type]bool) string {
	if seen[t] {
		return ""
	}
	seen[t] = true
	if hasText(t) {
		return ""
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return lostField(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if lost := lostIn(t.Field(i), seen); lost != "" {
				return lost
			}
		}
	}
	return ""
}

func lostIn(f reflect.StructField, seen map[reflect.Type]bool) string {
	// Of an embedded struct the exported fields count, unless JSON would have to make it.
	embedded := f.Anonymous && f.Type.Kind() == reflect.Struct
	switch {
	case f.Name == "_" || f.Type.Size() == 0: // nothing to lose
		return ""
	case f.Tag.Get("json") == "-", !f.IsExported() && !embedded:
		return f.Name
	}
	if lost := lostField(f.Type, seen); lost != "" {
		return f.Name + "." + lost
	}
	return ""
}
