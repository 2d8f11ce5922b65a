// Package cache puts the known patterns of caching on top of the clients of package
// router: typed keys and values, one load in the fleet however many ask, and an end
// to every entry.
//
//	m, err := cache.NewManager(cache.ManagerConfig{Store: cache.OnRedis(client)})
//	users, err := cache.NewSpace(m, cache.SpaceConfig[UserKey, User]{
//		Name: "svc:user", Schema: 3, Load: loadUser})
//	user, meta, err := users.Get(ctx, UserKey{Tenant: "acme", ID: 17})
//
// A Manager has what spaces share, a Space is one kind of key with one kind of
// value. The entries are in a Store: OnRedis and OnMemcached keep them on a fleet, of
// one node or many; NewMemory in this process. All three behave alike.
//
// # How a Get goes
//
// Level 1, if it is on (L1Config) → the store, which is asked once for all callers of
// a moment → the flight of the key, which all callers in this process share → the
// lease of the key, which one process in the fleet has → the loader → the store, under
// the lease → level 1. What the lease does:
//
//   - One process loads, the others wait for what it stores. If it dies they wait
//     for the end of the lease, and one of them loads.
//   - Every Put and Invalidate ends the lease. A load that was under way then is not
//     stored, for it may have read what was there before; it is made again, three
//     times at most.
//
// On Redis value and lease are one key, and every decision is one script on it. On
// Memcached mg with N and R gives out the lease, and its token is the CAS of the item:
// leases of "Scaling Memcache at Facebook" (Nishtala and others, NSDI 2013, section
// 3.2.1).
//
// # What is promised
//
//   - A Get that begins after Invalidate returned sees what the source had then, or
//     later: if the loader reads the source itself, or a replica that lags by no more
//     than LifeConfig.HoldOff (then: after the hold-off); but for L1 of other
//     processes, which a Bus tells, moments later; and as long as the store keeps
//     what it was told: a node that fails over to a copy that lags does not.
//   - With versions (Loaded.Version, Save) an older value never replaces a newer one
//     that is in the store, of the same epoch.
//   - No entry without a time to live, and no error of a loader in an entry; an
//     absence (ErrNotFound) for a short time of its own.
//   - What does not decode, belongs to another key or another schema, or is not whole
//     is a miss, and counted in Stats.
//   - A store that is away is no error of Get: each process then loads for itself, one
//     load a key, and stores nothing. It is one of Put and Invalidate:
//     ErrNotInvalidated.
//   - The source gets one load a key and process at a time, whatever happens; of many
//     keys at the same time so many as LimitConfig lets through, which adapts
//     itself. Who is one too many gets an old value or ErrShed. After a load that
//     failed a process leaves the key alone for a moment: PauseConfig.
//
// # Stale values
//
// An entry has two ends. Until the first it is fresh. Then it can be handed out while
// it is loaded anew (LifeConfig.StaleWhileRevalidate, off by default), or because the
// source fails or is slow (LifeConfig.StaleOnError, on by default and bounded). What
// was invalidated is never handed out.
//
// # More than one process
//
// What a process changes (Put, Invalidate, BumpEpoch) the first levels of the others
// are told by a [Bus]: NewRedisBus, or NewBus over a Wire of another kind. It may lose
// messages. That is noticed, by numbers, digests and silence, and then they forget
// everything.
//
// SpaceConfig.Epochs has every entry carry a random number of its space, so that
// [Space.BumpEpoch] makes all of them misses with one request. FilterConfig refuses
// keys that the source does not have, without asking it. An [Index] finds values by
// something else than their key.
//
// # Clocks
//
// Ends of entries are compared with the clock of the process that reads, leases with
// that of the server (Redis) or of the process that holds it (Memcached). A clock that
// is wrong makes values live longer or shorter, by as much; the store's own time to
// live bounds that. No clock decides which of two values is newer.
//
// # Concurrency and cost
//
// All methods are safe for any number of goroutines. A hit costs one GET, a miss one
// GET and two scripts (Redis), or one mg, one mg and one ms (Memcached); a process
// that waits for another polls, every 2 to 50 ms. Epochs add a read a process every half
// second, a filter one a second and one for those who are refused at a moment, and two
// scripts to a Put. A load takes two goroutines, level 1 one, a filter one or two, a bus
// seven. Manager.Close ends them all.
package cache
