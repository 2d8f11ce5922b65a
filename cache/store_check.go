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
