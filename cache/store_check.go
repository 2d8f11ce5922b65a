package cache

import (
	"fmt"
	"reflect"
)

// checkStore refuses a store that would panic when it is first asked: a nil pointer, or one
// whose client is none.
func checkStore(where string, store Store) error {
	if isNil(store) {
		return configError(where, "a nil "+fmt.Sprintf("%T", store), "a store")
	}
	var client any
	switch s := store.(type) {
	case *Redis:
		client = s.client
	case *Memcached:
		client = s.client
	case *Tiered:
		if s.near == nil || s.far == nil {
			return configError(where, "a *cache.Tiered of its own", "one of NewTiered")
		}
		return firstError(checkStore(where+", near", s.near), checkStore(where+", far", s.far))
	default:
		return nil
	}
	if client == nil {
		return configError(where, fmt.Sprintf("a %T without a client", store), "one with a client")
	}
	if isNil(client) {
		return configError(where, fmt.Sprintf("a %T over a nil %T", store, client), "one with a client")
	}
	return nil
}

// checkSet refuses what is to be left out, or to be something: an interface that has a nil
// pointer, as of a variable that nothing was assigned to, which would panic when it is
// first asked.
func checkSet(where string, what any) error {
	if what != nil && isNil(what) {
		return configError(where, fmt.Sprintf("a nil %T", what), "one, or nothing at all")
	}
	return nil
}

// checkBus also refuses a bus that would tell nobody.
func checkBus(where string, bus Bus) error {
	if b, ours := bus.(*SequencedBus); ours && b != nil && b.wire == nil {
		return configError(where, "a *cache.SequencedBus of its own", "one of NewBus or NewRedisBus")
	}
	return checkSet(where, bus)
}

// isNil also recognizes an interface that has a nil pointer.
func isNil(what any) bool {
	v := reflect.ValueOf(what)
	switch v.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Map, reflect.Chan, reflect.Func:
		return v.IsNil()
	}
	return false
}
