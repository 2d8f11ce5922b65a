package cache

import (
	"math/bits"
	"reflect"
	"slices"
	"unsafe"
)

// What an entry needs in memory beside itself, its key and its texts, in bytes: otter's
// node and its places in tables, and what the allocator rounds up. Measured with 300 to
// 300,000 entries of three types (71 to 108, and 103 to 166), and rounded up.
const (
	heldOverhead  = 112 // in level 1
	spareOverhead = 176 // in the fallback, where otter keeps times too
	mostWeight    = 1 << 31
)

// heldWeight is what level 1 needs for what it keeps: a value, or the bytes of it.
func (s *Space[K, V]) heldWeight(key K, h *held[V], encoded int) uint32 {
	weight := heldOverhead + keyWeight(key) + uint64(unsafe.Sizeof(held[V]{})) + tagsWeight(h.tags)
	return uint32(min(weight+valueWeight(s.valueKept(), &h.value, encoded), mostWeight))
}

// spareWeight is what an answer needs in the fallback, which keeps its value and the
// bytes of it.
func spareWeight[K Key, V any](kept valueKept, key K, a *answer[V]) uint32 {
	weight := spareOverhead + keyWeight(key) + uint64(unsafe.Sizeof(spare[V]{})) + tagsWeight(a.tags) + uint64(cap(a.payload))
	if kept != keptNot {
		weight += valueWeight(kept, &a.value, len(a.payload))
	}
	return uint32(min(weight, mostWeight))
}

// valueKept says what is kept of values.
type valueKept uint8

const (
	keptNot   valueKept = iota // the bytes alone
	keptFlat                   // a plain copy
	keptPlain                  // what copied makes
	keptClone                  // what Clone makes, which may share memory with others
)

func (s *Space[K, V]) valueKept() valueKept {
	switch {
	case s.flat:
		return keptFlat
	case s.cfg.Clone != nil:
		return keptClone
	case s.plain:
		return keptPlain
	}
	return keptNot
}

// keyWeight is what a key needs: itself, and the texts that it has.
func keyWeight[K Key](key K) uint64 {
	return uint64(unsafe.Sizeof(key)) + texts(reflect.ValueOf(&key).Elem())
}

func tagsWeight(tags []tagVersion) uint64 {
	return uint64(len(tags)) * uint64(unsafe.Sizeof(tagVersion{}))
}

// valueWeight is what a value points to, or the bytes of it. What may share memory with
// others is not looked through, for they may change it meanwhile: it counts as much as the
// codec made of it.
func valueWeight[V any](kept valueKept, v *V, encoded int) uint64 {
	switch kept {
	case keptFlat:
		return texts(reflect.ValueOf(v).Elem())
	case keptPlain:
		return pointedBy(*v)
	}
	return uint64(encoded)
}

// pointedBy is apart from valueWeight because it has the value on the heap.
func pointedBy[V any](v V) uint64 { return pointedTo(reflect.ValueOf(&v).Elem()) }

// pointedTo counts the bytes of all that a value points to, if its type has a copier.
func pointedTo(v reflect.Value) (n uint64) {
	t := v.Type()
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			n = uint64(t.Elem().Size()) + pointedTo(v.Elem())
		}
	case reflect.Slice:
		n = uint64(v.Cap())*uint64(t.Elem().Size()) + pointedByEach(v)
	case reflect.Array:
		n = pointedByEach(v)
	case reflect.Map:
		if v.IsNil() {
			return 0
		}
		n = mapHeader + mapSlots(v.Len())*uint64(1+t.Key().Size()+t.Elem().Size())
		if !points(t.Key()) && !points(t.Elem()) {
			return n
		}
		for each := v.MapRange(); each.Next(); {
			n += pointedTo(each.Key()) + pointedTo(each.Value())
		}
	case reflect.Struct:
		if slices.Contains(immutable, t) {
			return 0
		}
		for i := range v.NumField() {
			n += pointedTo(v.Field(i))
		}
	case reflect.String:
		n = uint64(v.Len())
	}
	return n
}

func pointedByEach(v reflect.Value) (n uint64) {
	if !points(v.Type().Elem()) {
		return 0
	}
	for i := range v.Len() {
		n += pointedTo(v.Index(i))
	}
	return n
}

// mapHeader is what a map needs for itself.
const mapHeader = 48

// mapSlots is how many elements a map of n has room for: eight, or a power of two of which
// at most seven eighths are taken.
func mapSlots(n int) uint64 {
	if n <= 8 {
		return 8
	}
	return 1 << bits.Len64((uint64(n)*8+6)/7-1)
}

// points says whether a value of the type may point to memory beside itself.
func points(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Pointer, reflect.Slice, reflect.Map:
		return true
	case reflect.Array:
		return points(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if points(t.Field(i).Type) {
				return !slices.Contains(immutable, t)
			}
		}
	}
	return false
}

// texts counts the bytes of the texts in what has no pointers, and of what lies in
// interfaces of a key. A pointer is part of a key as an address alone.
func texts(v reflect.Value) (n uint64) {
	switch v.Kind() {
	case reflect.String:
		return uint64(v.Len())
	case reflect.Struct:
		for i := range v.NumField() {
			n += texts(v.Field(i))
		}
	case reflect.Array:
		if !composed(v.Type().Elem().Kind()) {
			return 0
		}
		for i := range v.Len() {
			n += texts(v.Index(i))
		}
	case reflect.Interface:
		if inner := v.Elem(); inner.IsValid() {
			return uint64(inner.Type().Size()) + texts(inner)
		}
	}
	return n
}

// composed says whether there may be texts in a type of the kind.
func composed(k reflect.Kind) bool {
	return k == reflect.String || k == reflect.Struct || k == reflect.Array || k == reflect.Interface
}
