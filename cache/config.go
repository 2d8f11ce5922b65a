package cache

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"time"
)

// ManagerConfig is what the spaces of a program share. The zero value is safe.
type ManagerConfig struct {
	// Store keeps the entries; nil: there is none, and each process has level 1
	// alone: a space without one keeps nothing, and is refused unless NoStore says
	// that this is meant. It stays the caller's. One that is no Leaser
	// leaves a fleet without leases: each process then loads by itself, and a
	// load that an invalidation overtakes may store what was there before.
	Store   Store
	NoStore bool // there is no Store, and spaces without level 1 only share and bound loads

	// OnError is told what no caller is: errors of the store while the source
	// answered, loads in the background that failed, stale values that were
	// served in place of an error. It is called by the goroutine concerned, must
	// be quick, and is given no keys and no values: a client's own error has its key
	// in a field at most (errors.As), not in the text. What a loader returns is up to
	// the loader. nil: nobody is.
	OnError func(space string, err error)

	// Background is how many loads ahead of need may be under way at a time; 0
	// means 64. Further ones are left out, and counted.
	Background int

	// Secret is what personal fields of keys are hashed with: see
	// KeyBuilder.Personal. 16 to 64 random bytes, the same in all processes; with
	// another one all entries under such keys are misses. nil: there are none.
	Secret []byte

	// Bus tells the first levels of other processes what this one changes, and
	// the other way round; it belongs to this manager alone. nil: nobody does, and
	// L1 is as old as L1Config.TTL.
	Bus Bus

	// Invalidation is how invalidations of tags are repeated that fail: those of
	// InvalidateTags and EraseTag of the manager. There is no SecondDelete.
	Invalidation InvalidationConfig

	// TagSpace is what tags belong to: managers with the same one, on the same
	// fleet, mean the same by a tag. A name like that of a space; "" means "tags".
	TagSpace string

	Observer Observer // is told how long operations took; nil: nobody is
	Tracer   Tracer   // is told when they begin and end; nil: nobody is

	Retry RetryConfig // which requests to the store are repeated; on by default

	random func() float64 // [0,1); tests replace it
}

// Loaded is what a loader found.
type Loaded[V any] struct {
	Value V

	// Version of the value at the source: a number that only grows, such as a
	// row's version column; never a client's clock. With one, an older value does
	// not replace a newer. 0: there is none.
	Version uint64

	// TTL in place of the space's; 0: the space's.
	TTL time.Duration

	// NoStore: hand the value out, but do not keep it: it is partial, or for this
	// moment only. Callers that waited for the same load get it too. An old value
	// stays, for the time that the source fails; with ErrNotFound it goes.
	NoStore bool

	// Tags beside those that the space says: see TagsConfig.ByLoader. They count
	// with ErrNotFound too.
	Tags []Tag
}

// Loader asks the source. It returns ErrNotFound, wrapped or not, if the source
// does not have the key; no other error is remembered. It must return when its
// context ends: the context has the values of the caller that came first, not its
// deadline or cancellation, and ends after Loads.Timeout.
type Loader[K Key, V any] func(ctx context.Context, key K) (Loaded[V], error)

// Plain makes a Loader of a function that has only the value to return.
func Plain[K Key, V any](load func(context.Context, K) (V, error)) Loader[K, V] {
	return func(ctx context.Context, key K) (Loaded[V], error) {
		v, err := load(ctx, key)
		return Loaded[V]{Value: v}, err
	}
}

// SpaceConfig describes a space. Name is required; of everything else the zero
// value is safe. What a function of it panics with is an error of the call: see
// PanicError.
type SpaceConfig[K Key, V any] struct {
	// Name of the space, unique in the fleet: 1 to 64 of letters, digits, ':',
	// '.', '_' and '-'.
	Name string

	// Schema of the values. A new one makes every older entry a miss, without
	// touching it: entries of different schemas have different keys.
	Schema uint32

	// Axes are the names of the fields of keys, in the order in which AppendKey writes
	// them, for the Contract. nil: they have numbers.
	Axes []string

	Load     Loader[K, V]                                                          // the source; GetWith has a loader of its own
	LoadMany func(ctx context.Context, keys []K) (map[K]Loaded[V], error)          // for GetMany, and for Get without Load; keys that are not in the map are not found
	Save     func(ctx context.Context, key K, value V) (version uint64, err error) // writes the source, for Put

	// Remove removes the row of the key from the source, for Delete; a row that is not
	// there is no error. Of a space that writes behind it is Apply that removes.
	Remove func(ctx context.Context, key K) error

	SaveMany func(ctx context.Context, pairs []Pair[K, V]) (versions []uint64, err error) // for PutMany

	Codec    Codec[V]         // nil: JSON, of types that it makes again and loses no field of; JSON[V]{} takes others too
	Clone    func(V) V        // makes a copy that shares nothing; nil: see below
	Validate func(K, V) error // refuses values that must not be stored; nil: all may be
	GuardKey func(K) error    // refuses keys before anything is sent; nil: none

	// Without Clone the value that each caller gets is copied by assignment where that shares
	// no memory, or part by part: slices, arrays, maps, pointers and structs of what can be
	// copied, time.Time, and addresses of net/netip. Where a type has an interface, a function,
	// a field with a pointer that is not exported, contains itself, or decodes itself
	// (UnmarshalJSON and the like), the codec decodes the value for each caller, which takes
	// ten times as long. What a codec shares on purpose, as one instance for each currency, is
	// copied too: Clone keeps it shared.

	// Epochs: BumpEpoch can make all entries misses. All processes must have the
	// same here. It costs a read a process every half second; and where the node
	// that has the epoch is away, processes that start then cache nothing of the
	// space. Where it is evicted all of the space is cold.
	Epochs bool

	Tags   TagsConfig[K, V] // what entries have in common; none by default
	Check  CheckConfig[K]   // compares values with the source when they are read; off by default
	Filter FilterConfig[K]  // refuses keys that the source does not have; off by default

	WriteBehind  WriteBehindConfig[K, V] // has writes return before the source has them; off by default
	Invalidation InvalidationConfig      // how invalidations are repeated

	Life  LifeConfig  // how long entries live
	Loads LoadsConfig // how long loads may take
	L1    L1Config    // a level in this process, off by default
	Hot   HotConfig   // the keys that are asked for most; not looked for by default

	// TTLFor says how long a value is fresh, where the loader does not
	// (Loaded.TTL): for what Put stores, too. 0 and less mean Life.TTL. nil: always.
	TTLFor func(K, V) time.Duration

	Limit    LimitConfig       // how many loads the source gets at a time; on by default
	Pause    PauseConfig       // how long a key is left alone whose load has failed; on by default
	Bulkhead BulkheadConfig[K] // what the space, and a tenant of it, may take; off by default
	Fallback FallbackConfig    // values in this process while the store is away; off by default
	Recovery RecoveryConfig    // when the store comes back

	// Controls: the space does as SetControl says, and looks once a second.
	Controls bool
}

// LifeConfig says how long entries live. No entry lives without an end.
type LifeConfig struct {
	TTL time.Duration // how long a value is fresh; 0 means 5 min, 30 days at most

	// NegativeTTL is how long it is remembered that the source does not have a
	// key; 0 means 5 s. Put ends it. NoNegative: it is not remembered; the value
	// that was there before goes all the same.
	NegativeTTL time.Duration
	NoNegative  bool

	// Jitter is the part of a time to live that is added or taken at random, so
	// that what was stored together does not end together; 0 means 0.1, and 0.5
	// is the most. Ceiling: it is only taken, so that TTL is the most that a value
	// is old. NoJitter: neither.
	Jitter   float64
	Ceiling  bool
	NoJitter bool

	// StaleWhileRevalidate is how long after its end a value is handed out at
	// once, while one caller in the fleet loads it anew; 0: not at all.
	StaleWhileRevalidate time.Duration

	// StaleOnError is how long after its end a value is handed out if the source
	// fails, or is slower than LoadsConfig.SoftTimeout; 0 means TTL, 10 min at
	// most. NoStaleOnError: never.
	StaleOnError   time.Duration
	NoStaleOnError bool

	// RefreshAhead is the last part of a value's life in which the first Get has
	// it loaded anew in the background, 0.2 for the last fifth; 0: not at all.
	RefreshAhead float64

	// Beta above 0 has a value loaded anew by chance before its end, the sooner
	// the longer a load takes, as in "Optimal Probabilistic Cache Stampede
	// Prevention" (Vattani, Chierichetti, Lowenstein, VLDB 2015), of which 1 is the
	// optimum. 0: not at all.
	Beta float64

	// HoldOff is how long after an invalidation nothing is stored under the key:
	// at least as long as a replica that the loader reads may lag behind the
	// source; 0: not at all. While it lasts every process loads for itself.
	HoldOff time.Duration
}

// LoadsConfig bounds the time that loads take; LimitConfig bounds their number.
type LoadsConfig struct {
	Timeout     time.Duration // of a load; 0 means 3 s
	SoftTimeout time.Duration // after which a stale value is handed out; 0 means half of Timeout

	// Lease is how long one process has to load a value while the others wait; 0
	// means Timeout and one second, and less than Timeout is refused. If its
	// holder dies the others wait for the rest of it, and then one of them loads.
	Lease time.Duration
}

// L1Config is the level in this process. When another process changes a value it
// learns of it by ManagerConfig.Bus. Without one, and while the Bus hears nothing,
// what it has may be as old as its TTL.
type L1Config struct {
	// MaxBytes of keys, values and what they need beside. A value with pointers counts as much
	// as its codec makes of it where the codec or Clone copies it, and as the memory that it
	// needs where neither does. 0: there is no such level.
	MaxBytes uint64
	TTL      time.Duration // 0 means 30 s

	// NeedsBus: while the Bus hears nothing this level is left out. That bounds
	// how old a value is by what the Bus needs to notice, at the price of all
	// reads going to the fleet meanwhile.
	NeedsBus bool
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9:._-]{1,64}$`)

// withDefaults returns the configuration with every default filled in, or what is
// wrong with it.
func (c SpaceConfig[K, V]) withDefaults() (SpaceConfig[K, V], error) {
	if !nameForm.MatchString(c.Name) {
		return c, configError("Name", fmt.Sprintf("%.80q", c.Name), "1 to 64 letters, digits, ':', '.', '_' or '-'")
	}
	if kind := reflect.TypeFor[V]().Kind(); kind == reflect.Chan || kind == reflect.Func {
		return c, configError("type of values", reflect.TypeFor[V](), "one that can be stored and copied")
	}
	if err := checkSet("Codec", c.Codec); err != nil {
		return c, err
	}
	if c.Codec == nil {
		if err := checkJSON(reflect.TypeFor[V]()); err != nil {
			return c, err
		}
		c.Codec = JSON[V]{}
	}
	if c.Load == nil && c.LoadMany != nil {
		c.Load = oneOf(c.LoadMany)
	}
	life, err := c.Life.withDefaults()
	if err != nil {
		return c, err
	}
	loads, err := c.Loads.withDefaults()
	if err != nil {
		return c, err
	}
	c.Life, c.Loads = life, loads
	if c, err = c.resilienceDefaults(); err != nil {
		return c, err
	}
	if c.Check, err = c.Check.withDefaults(); err != nil {
		return c, err
	}
	if c.Filter, err = c.Filter.withDefaults(); err != nil {
		return c, err
	}
	if c.WriteBehind, err = c.WriteBehind.withDefaults(c.Save != nil || c.SaveMany != nil); err != nil {
		return c, err
	}
	if c.Invalidation, err = c.Invalidation.withDefaults(); err != nil {
		return c, err
	}
	if c.L1.TTL < 0 || c.L1.TTL > maxTTL {
		return c, configError("L1.TTL", c.L1.TTL, "0 to 30 days")
	}
	setDefault(&c.L1.TTL, 30*time.Second)
	if c.Hot, err = c.Hot.withDefaults(); err != nil {
		return c, err
	}
	return c, nil
}

// oneOf makes a loader of one for many.
func oneOf[K Key, V any](load func(context.Context, []K) (map[K]Loaded[V], error)) Loader[K, V] {
	return func(ctx context.Context, key K) (l Loaded[V], err error) {
		all, err := load(ctx, []K{key})
		if err != nil {
			return l, err
		}
		l, found := all[key]
		if !found {
			return l, ErrNotFound
		}
		return l, nil
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c LifeConfig) withDefaults() (LifeConfig, error) {
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"TTL", c.TTL}, {"NegativeTTL", c.NegativeTTL}, {"StaleWhileRevalidate", c.StaleWhileRevalidate},
		{"StaleOnError", c.StaleOnError}, {"HoldOff", c.HoldOff},
	} {
		if d.value < 0 || d.value > maxTTL {
			return c, configError("Life."+d.name, d.value, "0 to 30 days")
		}
	}
	for _, f := range []struct {
		name        string
		value, most float64
	}{{"Jitter", c.Jitter, 0.5}, {"RefreshAhead", c.RefreshAhead, 1}, {"Beta", c.Beta, 100}} {
		if math.IsNaN(f.value) || f.value < 0 || f.value > f.most {
			return c, configError("Life."+f.name, f.value, fmt.Sprint("0 to ", f.most))
		}
	}
	setDefault(&c.TTL, 5*time.Minute)
	setDefault(&c.NegativeTTL, 5*time.Second)
	setDefault(&c.Jitter, 0.1)
	setDefault(&c.StaleOnError, min(c.TTL, 10*time.Minute))
	if c.NoStaleOnError {
		c.StaleOnError = 0
	}
	if c.NoJitter {
		c.Jitter = 0
	}
	return c, nil
}

func (c LoadsConfig) withDefaults() (LoadsConfig, error) {
	if c.Timeout < 0 || c.SoftTimeout < 0 || c.Timeout > time.Hour {
		return c, configError("Loads", fmt.Sprintf("Timeout %v, SoftTimeout %v", c.Timeout, c.SoftTimeout), "0 to 1 h")
	}
	setDefault(&c.Timeout, 3*time.Second)
	setDefault(&c.SoftTimeout, c.Timeout/2)
	setDefault(&c.Lease, c.Timeout+time.Second)
	if c.Lease < c.Timeout || c.Lease > 2*time.Hour {
		return c, configError("Loads.Lease", c.Lease, fmt.Sprintf("at least Timeout (%v), at most 2 h", c.Timeout))
	}
	return c, nil
}
