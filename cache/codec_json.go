package cache

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
)

// checkJSON refuses a type of which JSON, where nobody has chosen it, would lose a field: a
// first Get would have it, from the loader, and a second one not.
func checkJSON(t reflect.Type) error {
	if field := lostField(t, make(map[reflect.Type]bool)); field != "" {
		return configError("Codec", "nil, which is JSON", fmt.Sprintf("one that keeps field %s of %v: JSON loses it. Export the field, or set a Codec; JSON[V]{} if it may be lost", field, t))
	}
	return nil
}

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// lostField returns the first field that JSON leaves out, as "Home.street", or "". A type
// that makes its own text is believed, and so is what an interface holds.
func lostField(t reflect.Type, seen map[reflect.Type]bool) string {
	if seen[t] {
		return ""
	}
	seen[t] = true
	if p := reflect.PointerTo(t); p.Implements(jsonMarshaler) || p.Implements(textMarshaler) {
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
