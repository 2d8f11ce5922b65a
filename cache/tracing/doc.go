// Package tracing makes OpenTelemetry spans of what the spaces of package cache do.
//
//	m, err := cache.NewManager(cache.ManagerConfig{
//		Store:  cache.OnRedis(client),
//		Tracer: tracing.New(tracing.Config{}),
//	})
//
// There is one span for each call of Get, GetMany, Put and Invalidate, a child of
// the span in the caller's context, and below it one for each part: the look into
// level 1, the read of the store, the lease with the wait for whoever has it, the
// loader, the write of the store. The store and the loader are given the context
// with their span, so that the spans of router/tracing, and those of a database,
// are below these. Callers who share a load have no span for it: it is below the
// call that came first.
//
// A span is named "cache get", "cache load" and so on, and has the attributes
//
//	ringway.cache.space      "svc:user/3"
//	ringway.cache.operation  get, get_many, put, invalidate, l1, lookup, lease, load, store
//	ringway.cache.source     of get: L1, L2, loader, stale, negative, filter; of l1: L1 if it had it
//	ringway.cache.keys       of operations on many keys
//
// Keys and values are in none of them. An error sets the status; that a key is not
// there, or known not to exist, is an answer and none. The text of an error can
// quote what a server or a loader said.
//
// Only the API of OpenTelemetry is imported: without an SDK in the program nothing
// is recorded.
package tracing
