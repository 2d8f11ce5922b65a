package cache

import (
	"encoding"
	"encoding/gob"
	"encoding/json"
	"net/netip"
	"reflect"
	"slices"
	"time"
)

// flat says whether a plain copy of a value of the type shares no memory with it
// that could be changed: strings may be shared.
func flat(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return flat(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !flat(t.Field(i).Type) {
				return false
			}
		}
		return true
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Chan, reflect.Func, reflect.Interface, reflect.UnsafePointer:
		return false
	}
	return true
}

// copier has a value share nothing with the one that it is a plain copy of: v is
// addressable, and what it points to is copied, part by part. nil: it points to nothing
// that could be changed.
type copier func(v reflect.Value)

// copierOf returns the copier of a type all of which can be reached: that is, it has no
// interfaces, channels and functions, no fields that are not exported but flat ones, and is
// not made of itself. A type that decodes itself, unless it is a slice of what is flat, may
// have reasons to share what it points to, and is left to the codec.
func copierOf(t reflect.Type) (c copier, known bool) { return copierWithin(t, nil) }

// copierWithin is copierOf for a part of the types within.
func copierWithin(t reflect.Type, within []reflect.Type) (c copier, known bool) {
	if flat(t) || slices.Contains(immutable, t) {
		return nil, true
	}
	if !ofFlat(t) && decodesItself(t) {
		return nil, false
	}
	if slices.Contains(within, t) {
		return nil, false
	}
	within = append(slices.Clip(within), t)
	switch t.Kind() {
	case reflect.Struct:
		return copierOfStruct(t, within)
	case reflect.Array, reflect.Slice, reflect.Map, reflect.Pointer:
	default:
		return nil, false
	}
	elem, known := copierWithin(t.Elem(), within)
	if !known {
		return nil, false
	}
	switch t.Kind() {
	case reflect.Array:
		if elem == nil {
			return nil, true
		}
		return func(v reflect.Value) { copyEach(v, elem) }, true
	case reflect.Slice:
		return func(v reflect.Value) { copySlice(v, elem) }, true
	case reflect.Pointer:
		return func(v reflect.Value) { copyPointer(v, elem) }, true
	}
	if key, known := copierWithin(t.Key(), within); !known || key != nil {
		return nil, false
	}
	return func(v reflect.Value) { copyMap(v, elem) }, true
}

// ofFlat says whether a type is a slice of what is flat, as json.RawMessage and net.IP are,
// or a pointer to one, or to what is flat or immutable: these can be copied however they are
// decoded.
func ofFlat(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Slice:
		return flat(t.Elem())
	case reflect.Pointer:
		elem := t.Elem()
		return flat(elem) || slices.Contains(immutable, elem) || ofFlat(elem)
	}
	return false
}

// immutable types have pointers to what nobody changes.
var immutable = []reflect.Type{
	reflect.TypeFor[time.Time](), reflect.TypeFor[netip.Addr](), reflect.TypeFor[netip.AddrPort](), reflect.TypeFor[netip.Prefix](),
}

func decodesItself(t reflect.Type) bool {
	for _, decoder := range []reflect.Type{
		reflect.TypeFor[json.Unmarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](), reflect.TypeFor[encoding.BinaryUnmarshaler](), reflect.TypeFor[gob.GobDecoder](),
	} {
		if t.Implements(decoder) || reflect.PointerTo(t).Implements(decoder) {
			return true
		}
	}
	return false
}

func copierOfStruct(t reflect.Type, within []reflect.Type) (c copier, known bool) {
	type part struct {
		field int
		copy  copier
	}
	var parts []part
	for i := range t.NumField() {
		f := t.Field(i)
		c, known := copierWithin(f.Type, within)
		if !known || c != nil && !f.IsExported() {
			return nil, false
		}
		if c != nil {
			parts = append(parts, part{i, c})
		}
	}
	if len(parts) == 0 {
		return nil, true
	}
	return func(v reflect.Value) {
		for _, p := range parts {
			p.copy(v.Field(p.field))
		}
	}, true
}

func copyEach(v reflect.Value, elem copier) {
	for i := range v.Len() {
		elem(v.Index(i))
	}
}

func copySlice(v reflect.Value, elem copier) {
	switch p := v.Addr().Interface().(type) { // which takes half the time and memory
	case *[]string:
		*p = slices.Clone(*p)
		return
	case *[]byte:
		*p = slices.Clone(*p)
		return
	}
	if v.IsNil() {
		return
	}
	own := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
	reflect.Copy(own, v)
	if elem != nil {
		copyEach(own, elem)
	}
	v.Set(own)
}

func copyPointer(v reflect.Value, elem copier) {
	if v.IsNil() {
		return
	}
	own := reflect.New(v.Type().Elem())
	own.Elem().Set(v.Elem())
	if elem != nil {
		elem(own.Elem())
	}
	v.Set(own)
}

func copyMap(v reflect.Value, elem copier) {
	if v.IsNil() {
		return
	}
	own := reflect.MakeMapWithSize(v.Type(), v.Len())
	key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
	for each := v.MapRange(); each.Next(); {
		key.SetIterKey(each)
		value.SetIterValue(each)
		if elem != nil {
			elem(value)
		}
		own.SetMapIndex(key, value)
	}
	v.Set(own)
}

// copies says how a space copies its values: see Space.
type copies struct {
	flat   bool   // a plain copy is a copy
	plain  bool   // and if it is not: copied makes one
	copier copier // of copied; may be nil
}

func copiesOf(t reflect.Type) (c copies) {
	c.flat = flat(t)
	c.copier, c.plain = copierOf(t)
	return c
}

// copied returns a copy of a value that the codec has made, and that nobody changes
// meanwhile. What a loader or a caller has given may be changed by him at any time: of that
// only the codec, or Clone, makes a copy.
func (s *Space[K, V]) copied(v V) V {
	if s.copier == nil {
		return v
	}
	return copiedBy(s.copier, v)
}

// copiedBy is apart from copied because it has the copy on the heap.
func copiedBy[V any](c copier, v V) V {
	c(reflect.ValueOf(&v).Elem())
	return v
}

// copiesGiven says whether what a loader or a caller has given can be copied without the
// codec.
func (s *Space[K, V]) copiesGiven() bool { return s.flat || s.cfg.Clone != nil }
