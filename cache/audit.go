package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// AuditConfig says what an audit looks at, and how fast. The zero value is fine.
type AuditConfig struct {
	// Prefix limits the audit to keys that begin with it; empty: all.
	Prefix string

	// Limit is how many keys of each node are looked at; 0: all. Redis and
	// Memcached go through their keys in the order of a hash of their own, so that
	// the first ones are an even sample of all.
	Limit int

	// Rate is how many keys a second of each node are looked at; 0 means 1000.
	Rate float64

	// Large is from how many bytes on an entry is too large; 0 means 1 MB.
	Large int64

	// Spaces are those that there ought to be, as in Stats: "svc:user/3". Entries
	// of another schema, or of a space that is not among them, are of unknown
	// schema. Manager.Audit adds its own. None: all are known.
	Spaces []string

	// Examples is how many keys are reported of each problem and space; 0: none,
	// for keys may be personal.
	Examples int

	// decode decodes an entry of a space that this process has.
	decode map[string]func(id identity, payload []byte) error
}

// Problem says what is wrong with an entry.
type Problem string

// The problems.
const (
	NoTTL         Problem = "no TTL"         // it would stay for ever
	UnknownSchema Problem = "unknown schema" // nobody reads it
	TooLarge      Problem = "too large"
	Undecodable   Problem = "undecodable" // not whole, or the codec refuses it
	WrongIdentity Problem = "wrong identity"
)

// Problems returns all problems, in the order in which they are told.
func Problems() []Problem {
	return []Problem{NoTTL, UnknownSchema, TooLarge, Undecodable, WrongIdentity}
}

// AuditReport is what an audit has found.
type AuditReport struct {
	Keys     int          // that were looked at
	Foreign  int          // of them of no space: whatever else is kept there
	Complete bool         // all keys were looked at
	Spaces   []SpaceAudit // ordered by name
}

// SpaceAudit is what an audit has found of one space.
type SpaceAudit struct {
	Space    string // "svc:user/3"
	Entries  int
	Others   int                  // leases, hold-offs, counters and such
	Bytes    int64                // of all entries
	Problems map[Problem]int      // how many entries have it
	Examples map[Problem][]string // keys: AuditConfig.Examples

	Sizes []int // how many entries have at most SizeBounds()[i] bytes, and not SizeBounds()[i-1]; the last has those beyond
	TTLs  []int // likewise how long entries have to live, by TTLBounds(); those without an end are not among them
}

// SizeBounds are 64 B to 16 MB, each four times the one before.
func SizeBounds() []int64 {
	bounds := make([]int64, 10)
	for i := range bounds {
		bounds[i] = 64 << (2 * i)
	}
	return bounds
}

// TTLBounds are from a second to 30 days.
func TTLBounds() []time.Duration {
	const hour = time.Hour
	return []time.Duration{time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute,
		hour, 6 * hour, 24 * hour, 7 * 24 * hour, 30 * 24 * hour}
}

// Audit looks at the entries of all spaces in the manager's store: see the function
// Audit. Entries of its own spaces are decoded by their codecs too.
func (m *Manager) Audit(ctx context.Context, cfg AuditConfig) (AuditReport, error) {
	m.mu.Lock()
	cfg.decode = make(map[string]func(identity, []byte) error)
	for name, s := range m.spaces {
		cfg.Spaces = append(cfg.Spaces[:len(cfg.Spaces):len(cfg.Spaces)], name)
		cfg.decode[name] = s.decodes
	}
	m.mu.Unlock()
	if m.ctx.Err() != nil {
		return AuditReport{}, ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.ctx, cancel)()
	return Audit(ctx, m.cfg.Store, cfg)
}

// decodes says whether the codec takes a payload.
func (s *Space[K, V]) decodes(id identity, payload []byte) error {
	_, err := s.decode(payload, id)
	return err
}

// Audit goes through the entries of a store, of all its nodes at once, and reports
// what is wrong with them. It reads only, which a Redis takes for a use of the key when
// it decides what to evict. With an error what was found until then is reported, not
// Complete. ErrUnsupported: the store cannot list or inspect keys.
func Audit(ctx context.Context, store Store, cfg AuditConfig) (AuditReport, error) {
	if err := checkRate("Rate", cfg.Rate); err != nil {
		return AuditReport{}, err
	}
	if cfg.Limit < 0 || cfg.Large < 0 || cfg.Examples < 0 {
		return AuditReport{}, configError("audit", fmt.Sprintf("Limit %d, Large %d, Examples %d", cfg.Limit, cfg.Large, cfg.Examples), "none below 0")
	}
	setDefault(&cfg.Rate, 1000)
	setDefault(&cfg.Large, 1<<20)
	a := &auditor{cfg: cfg, spaces: make(map[string]*SpaceAudit), report: AuditReport{Complete: true}}
	err := eachNode(ctx, store, a.node)
	if err != nil {
		a.report.Complete = false
		err = fmt.Errorf("cache: audit: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(a.spaces)) {
		a.report.Spaces = append(a.report.Spaces, *a.spaces[name])
	}
	return a.report, err
}

type auditor struct {
	cfg AuditConfig

	mu     sync.Mutex // guards the following
	report AuditReport
	spaces map[string]*SpaceAudit
}

// auditPage is how many keys are inspected in one exchange.
const auditPage = 100

var errEnough = errors.New("enough")

// node audits the keys of one node.
func (a *auditor) node(ctx context.Context, store Store) error {
	scanner, scans := store.(Scanner)
	inspector, inspects := store.(Inspector)
	if !scans || !inspects {
		return ErrUnsupported
	}
	seen := make(map[string]bool) // a scan may name a key twice
	err := scanner.ScanKeys(ctx, a.cfg.Prefix, func(keys []string) error {
		for page := range slices.Chunk(keys, auditPage) {
			page = slices.DeleteFunc(slices.Clone(page), func(key string) bool { return seen[key] })
			enough := false
			if left := a.cfg.Limit - len(seen); a.cfg.Limit > 0 && len(page) > left {
				page, enough = page[:left], true
			}
			for _, key := range page {
				seen[key] = true
			}
			if err := a.page(page, inspector.Inspect(ctx, page)); err != nil {
				return err
			}
			if enough {
				return errEnough
			}
			if err := pause(ctx, time.Duration(float64(len(page))/a.cfg.Rate*float64(time.Second))); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		a.mu.Lock()
		a.report.Complete = false
		a.mu.Unlock()
		return nil
	}
	return err
}

func (a *auditor) page(keys []string, found []Inspected) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, in := range found {
		switch {
		case errors.Is(in.Err, ErrMiss): // gone meanwhile
			continue
		case in.Err != nil:
			return in.Err
		}
		a.report.Keys++
		a.look(keys[i], in)
	}
	return nil
}

// look judges one key.
func (a *auditor) look(key string, in Inspected) {
	space, field := spaceOf(key)
	if space == "" {
		a.report.Foreign++
		return
	}
	s := a.spaces[space]
	if s == nil {
		s = &SpaceAudit{Space: space, Problems: make(map[Problem]int), Examples: make(map[Problem][]string),
			Sizes: make([]int, len(SizeBounds())+1), TTLs: make([]int, len(TTLBounds())+1)}
		a.spaces[space] = s
	}
	if in.TTL <= 0 {
		a.found(s, NoTTL, key)
	}
	if in.Other && strings.IndexByte(fieldKinds, field) >= 0 && (in.Foreign || in.Size > cellHeader) {
		// Where an entry ought to be there is something else.
		a.found(s, Undecodable, key)
		return
	}
	if in.Other || strings.IndexByte(fieldKinds, field) < 0 {
		s.Others++
		return
	}
	s.Entries++
	s.Bytes += in.Size
	s.Sizes[bucketOf(SizeBounds(), in.Size)]++
	if in.TTL > 0 {
		s.TTLs[bucketOf(TTLBounds(), in.TTL)]++
	}
	if in.Size > a.cfg.Large {
		a.found(s, TooLarge, key)
	}
	if len(a.cfg.Spaces) > 0 && !slices.Contains(a.cfg.Spaces, space) {
		a.found(s, UnknownSchema, key)
	}
	if in.Size <= maxInspected {
		a.decode(s, key, in)
	}
}

// fieldKinds are what a key of an entry has after the space: the kind of its first
// field, or the mark of a hash.
const fieldKinds = "sbiupt#"

func bucketOf[T int64 | time.Duration](bounds []T, value T) int {
	i, _ := slices.BinarySearch(bounds, value)
	return i
}

func (a *auditor) found(s *SpaceAudit, p Problem, key string) {
	s.Problems[p]++
	if len(s.Examples[p]) < a.cfg.Examples {
		s.Examples[p] = append(s.Examples[p], key)
	}
}

// decode looks into an entry.
func (a *auditor) decode(s *SpaceAudit, key string, in Inspected) {
	schema, _ := strconv.ParseUint(s.Space[strings.LastIndexByte(s.Space, '/')+1:], 10, 32)
	id, known := identityOf(key, s.Space)
	e, err := decodeEnvelope(in.Entry.Value, uint32(schema), id)
	switch {
	case !known || errors.Is(err, errOtherKey):
		a.found(s, WrongIdentity, key)
		return
	case err == nil && !e.negative && a.cfg.decode[s.Space] != nil:
		err = a.cfg.decode[s.Space](id, e.payload)
	}
	if err != nil {
		a.found(s, Undecodable, key)
	}
}

// spaceOf returns the space that a key of a store belongs to, and the first byte of
// what follows; "" if it belongs to none.
func spaceOf(key string) (space string, field byte) {
	first := strings.IndexByte(key, '/')
	if first < 0 {
		return "", 0
	}
	second := strings.IndexByte(key[first+1:], '/') + first + 1
	if second <= first || second+1 >= len(key) || !validSpace(key[:second]) {
		return "", 0
	}
	return key[:second], key[second+1]
}

// identityOf returns what an entry under the key must carry: see storeKeyOf.
func identityOf(key, space string) (id identity, known bool) {
	key = withoutCopy(key, space)
	if rest := key[len(space)+1:]; rest[0] == hashedMark {
		sum, err := hex.DecodeString(rest[1:])
		if err != nil || len(sum) != sha256.Size {
			return id, false
		}
		return identity(sum[:len(id)]), true
	}
	sum := sha256.Sum256([]byte(key))
	return identity(sum[:len(id)]), true
}
