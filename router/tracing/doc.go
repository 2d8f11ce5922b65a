// Package tracing makes OpenTelemetry spans of the requests of a router.Redis
// or router.Memcached.
//
//	client, err := router.NewRedis(ctx, router.Config{
//		Source: source,
//		Tracer: tracing.New(tracing.Config{}),
//	})
//
// There is one span of kind client for each request to a node, a child of the
// span in the caller's context: one for a plain command, one a node for a
// command that is split, one a node for a pipeline, and one more for each time
// that a read is repeated or a failure policy asks another node. The context
// with the span goes on to the hooks of the node's own client.
//
// The span is named after the command and has the attributes
//
//	db.system.name            redis or memcached
//	db.operation.name         the command: GET; PIPELINE, MULTI, WATCH; get, incr, mg
//	db.operation.batch.size   commands in the request, or keys of a memcached one,
//	                          if there are several
//	server.address            of the node
//	ringway.node              ID of the node
//	ringway.zone              its zone, if it has one
//	ringway.epoch             of the ring
//
// the first four as in the semantic conventions for database spans
// (https://opentelemetry.io/docs/specs/semconv/database/redis/). Keys, values and
// credentials are in none of them. An error sets the status, redis.Nil does
// not: it is an answer, as with memcached a miss and a condition that did not hold
// are. The text of an error can quote what a server said.
//
// Only the API of OpenTelemetry is imported: without an SDK in the program
// nothing is recorded.
package tracing
