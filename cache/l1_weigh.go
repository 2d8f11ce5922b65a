package cache

import (
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

// heldWeight is what an answer needs in level 1, which keeps its value or the bytes of it.
func (s *Space[K, V]) heldWeight(key K, a *answer[V]) uint32 {
	weight := heldOverhead + keyWeight(key) + uint64(unsafe.Sizeof(held[V]{})) + tagsWeight(a.tags)
	return uint32(min(weight+s.valueWeight(a), mostWeight))
}

// spareWeight is what an answer needs in the fallback, which keeps its value and the
// bytes of it.
func spareWeight[K Key, V any](key K, a *answer[V]) uint32 {
	weight := spareOverhead + keyWeight(key) + uint64(unsafe.Sizeof(spare[V]{})) + tagsWeight(a.tags) + uint64(cap(a.payload))
	if flat(reflect.TypeFor[V]()) {
		return uint32(min(weight+texts(reflect.ValueOf(&a.value).Elem()), mostWeight))
	}
	return uint32(min(weight+uint64(len(a.payload)), mostWeight))
}

// keyWeight is what a key needs: itself, and the texts that it has.
func keyWeight[K Key](key K) uint64 {
	return uint64(unsafe.Sizeof(key)) + texts(reflect.ValueOf(&key).Elem())
}

func tagsWeight(tags []tagVersion) uint64 {
	return uint64(len(tags)) * uint64(unsafe.Sizeof(tagVersion{}))
}

// valueWeight is what a value points to. What may share memory with others is not looked
// through, for they may change it meanwhile: it counts as much as the codec made of it.
func (s *Space[K, V]) valueWeight(a *answer[V]) uint64 {
	switch {
	case s.flat:
		return texts(reflect.ValueOf(&a.value).Elem())
	case s.plain && s.cfg.Clone == nil:
		return pointedBy(a.value)
	}
	return uint64(len(a.payload))
}

// pointedBy is apart from valueWeight because it has the value on the heap.
func pointedBy[V any](v V) uint64 { return pointedTo(reflect.ValueOf(&v).Elem()) }

// mapSlot is what a place of a map needs beside its key and element, of which up to half
// are free.
const mapSlot = 8

// pointedTo counts the bytes of all that a value points to, if its type has a copier.
func pointedTo(v reflect.Value) (n uint64) {
	t := v.Type()
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			n = uint64(t.Elem().Size()) + pointedTo(v.Elem())
		}
	case reflect.Slice:
		n = uint64(v.Cap()) * uint64(t.Elem().Size())
		fallthrough
	case reflect.Array:
		for i := 0; i < v.Len() && pointing(t.Elem().Kind()); i++ {
			n += pointedTo(v.Index(i))
		}
	case reflect.Map:
		n = 2 * uint64(v.Len()) * uint64(t.Key().Size()+t.Elem().Size()+mapSlot)
		for each := v.MapRange(); each.Next(); {
			n += pointedTo(each.Key()) + pointedTo(each.Value())
		}
	case reflect.Struct:
		for i := 0; i < v.NumField() && !slices.Contains(immutable, t); i++ {
			n += pointedTo(v.Field(i))
		}
	case reflect.String:
		n = uint64(v.Len())
	}
	return n
}

// pointing says whether a value of the kind may point to something.
func pointing(k reflect.Kind) bool {
	return composed(k) || k == reflect.Pointer || k == reflect.Slice || k == reflect.Map
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
