// Package httpcache puts package cache before a net/http handler: a shared cache of
// responses on the fleet, after RFC 9111 and RFC 5861.
//
//	pages, err := httpcache.New(manager, httpcache.Config{Name: "svc:pages", Vary: []string{"Accept-Language"}})
//	http.Handle("/", pages.Wrap(handler))
//
// One process of the fleet runs the handler for a page that is missing, and the others
// wait; what is asked for again is answered from level 1 or the fleet.
//
// # What is stored
//
// Responses to GET, which answer HEAD too, with status 200, 203, 204, 300, 301, 308,
// 404, 405, 410, 414 or 501 that say how long: by s-maxage, else max-age, else Expires.
// Config.TTL stands in for a response that says nothing; without it nothing is assumed.
//
// Never stored are: responses with Cache-Control no-store, private or no-cache (which
// would have to be asked for each time), with Set-Cookie, with Vary: *, or that vary by a
// header that is not among Config.Vary; those to requests with Authorization, Range, a
// body, or Cache-Control: no-store; those over Config.MaxBytes, and those of a handler that
// flushes, hijacks or panics. They reach the caller as the handler wrote them: streams stay
// streams. A page of which one was not stored is not looked for, for ten seconds.
//
// A Cache-Control that cannot be understood stores nothing: what is written badly is not
// guessed at.
//
// # What is answered
//
// A stored response has Age, and X-Cache: hit, stale or miss says where it comes from.
// If-None-Match and If-Modified-Since are answered with 304 from what is stored. A request with
// Cache-Control: no-cache, or max-age=0, goes to the handler, whose answer replaces
// what is stored; only-if-cached gets 504 where there is nothing.
//
// stale-while-revalidate=N: for N seconds past its end the old response is handed out
// at once, while one process in the fleet runs the handler. stale-if-error=N: for N
// seconds past its end the old response stands in for a status of 500, 502, 503 or 504, or a
// panic. must-revalidate, proxy-revalidate and s-maxage, which for a shared cache implies the
// latter, forbid both (RFC 9111, section 4.2.4), whatever RFC 5861 directive stands beside.
//
// Where Config.Limits lets no further handler run for a page that is missing, the old
// response stands in as for an error; without one that may, the answer is 503 with
// Retry-After, and the handler is not run. What is never stored is not bounded.
//
// # Keys
//
// A response is stored under method GET, host, path, query and those headers of the
// request that Config.Vary names, each as one axis: what a handler looks at beside them
// must be named there. The query is taken as it stands.
//
// # What is invalidated
//
// A request with another method than GET, HEAD, OPTIONS and TRACE that is answered with a
// status below 400 invalidates its page in all variants, and the pages of the same origin
// that the response names in Location and Content-Location, in all processes. That is for
// host, path and query as the handler that is wrapped sees them. Cache.Invalidate and
// Handler.Invalidate do so for a program, Config.Tags and cache.Manager.InvalidateTags for
// pages that have something in common, and Cache.InvalidateAll for all.
//
// Variants have a tag in common, whose version is read with each of them in the same round
// trip, and twice more by a load; without Config.Vary and Config.Tags there is none. What
// level 1 has of them is as old as cache.TagsConfig says.
package httpcache
