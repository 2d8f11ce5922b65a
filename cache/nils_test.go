package cache

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/cache/journal"
	"github.com/ringway/ringway/router"
)

// What is nil is refused when the configuration is, not by a panic at the first Get.
func TestNilsAreRefused(t *testing.T) {
	openManager := func(store Store) error {
		m, err := NewManager(ManagerConfig{Store: store})
		if m != nil {
			_ = m.Close()
		}
		return err
	}
	tiered := func(near, far Store) error {
		s, err := NewTiered(near, far, TieredConfig{})
		if err != nil {
			return err
		}
		defer s.Close()
		return openManager(s)
	}
	m := newManager(t, NewMemory())
	space := func(m *Manager, axes ...string) error {
		_, err := NewSpace(m, SpaceConfig[userKey, user]{Name: "x", Axes: axes})
		return err
	}
	index := func(of *Space[userKey, user]) error {
		_, err := NewIndex(of, IndexConfig[wordKey, userKey, user]{Name: "i",
			Load:  func(context.Context, wordKey) (userKey, error) { return userKey{}, nil },
			Names: func(user) []wordKey { return nil }})
		return err
	}
	for name, c := range map[string]struct {
		err  error
		says string
	}{
		"a nil Memory":                 {openManager((*Memory)(nil)), "Store: a nil *cache.Memory"},
		"a nil Redis":                  {openManager((*Redis)(nil)), "Store: a nil *cache.Redis"},
		"a nil Memcached":              {openManager((*Memcached)(nil)), "Store: a nil *cache.Memcached"},
		"a nil Tiered":                 {openManager((*Tiered)(nil)), "Store: a nil *cache.Tiered"},
		"a zero Tiered":                {openManager(&Tiered{}), "NewTiered"},
		"OnRedis of nothing":           {openManager(OnRedis(nil)), "Store: a *cache.Redis without a client"},
		"OnRedis of a nil client":      {openManager(OnRedis((*redis.Client)(nil))), "over a nil *redis.Client"},
		"OnRedis of a nil router":      {openManager(OnRedis((*router.Redis)(nil))), "over a nil *router.Redis"},
		"OnMemcached of nothing":       {openManager(OnMemcached(nil)), "Store: a *cache.Memcached without a client"},
		"OnMemcached of a nil router":  {openManager(OnMemcached((*router.Memcached)(nil))), "over a nil *router.Memcached"},
		"a near store without client":  {tiered(OnRedis(nil), NewMemory()), "near: a *cache.Redis without a client"},
		"a far store without a client": {tiered(NewMemory(), OnMemcached(nil)), "far: a *cache.Memcached without a client"},
		"no near store":                {tiered(nil, NewMemory()), "near"},
		"a space of no manager":        {space(nil), "manager: nil"},
		"a space of a zero manager":    {space(&Manager{}), "NewManager"},
		"an axis without a name":       {space(m, "", "id"), "Axes[0]"},
		"two axes of one name":         {space(m, "id", "id"), "Axes[1]"},
		"an index of no space":         {index(nil), "space: nil"},
		"an index of a zero space":     {index(&Space[userKey, user]{}), "NewSpace"},
	} {
		if !errors.Is(c.err, ErrConfig) || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%s: %v; want an ErrConfig that says %q", name, c.err, c.says)
		}
	}
}

// nilCodec is a codec, and nilJournal a journal, of which there may be nil pointers.
type (
	nilCodec   struct{ JSON[user] }
	nilKeys    struct{ JSON[userKey] }
	nilJournal struct{ journal.Journal }
	nilWire    struct{ Wire }
	muteWire   struct{ Wire }
	nilWatch   struct {
		Observer
		Tracer
	}
)

func (muteWire) Channels() int { return 0 }

// Nor is a nil pointer taken for what is to be there, or for nothing, where an interface is
// asked for: it would panic when it is first used.
func TestNilPointersAreRefused(t *testing.T) {
	manager := func(change func(*ManagerConfig)) error {
		cfg := ManagerConfig{Store: NewMemory()}
		change(&cfg)
		m, err := NewManager(cfg)
		if m != nil {
			_ = m.Close()
		}
		return err
	}
	tiered := func(near, far Store, bus Bus) error {
		s, err := NewTiered(near, far, TieredConfig{Bus: bus})
		if s != nil {
			_ = s.Close()
		}
		return err
	}
	m := newManager(t, NewMemory())
	s := newUsers(t, m, nil)
	space := func(change func(*SpaceConfig[userKey, user])) error {
		cfg := SpaceConfig[userKey, user]{Name: "x"}
		change(&cfg)
		_, err := NewSpace(m, cfg)
		return err
	}
	apply := func(context.Context, []*RowChange[userKey, user]) error { return nil }
	var rule []Action[renamed]
	rules := func(m *Manager, do ...Action[renamed]) error {
		_, err := NewRules(m, Rule[renamed]{Event: "e", Do: append(rule, do...)})
		return err
	}
	keys := func(renamed) []userKey { return nil }
	tags := func(renamed) []Tag { return nil }
	pattern := func(renamed, *PatternBuilder) {}
	var none *Space[userKey, user]
	second := func(_ any, err error) error { return err }
	for name, c := range map[string]struct {
		err  error
		says string
	}{
		"a nil bus":             {manager(func(c *ManagerConfig) { c.Bus = (*SequencedBus)(nil) }), "Bus: a nil *cache.SequencedBus"},
		"a zero bus":            {manager(func(c *ManagerConfig) { c.Bus = &SequencedBus{} }), "NewBus"},
		"a nil observer":        {manager(func(c *ManagerConfig) { c.Observer = (*nilWatch)(nil) }), "Observer: a nil *cache.nilWatch"},
		"a nil tracer":          {manager(func(c *ManagerConfig) { c.Tracer = (*nilWatch)(nil) }), "Tracer: a nil *cache.nilWatch"},
		"a nil journal of tags": {manager(func(c *ManagerConfig) { c.Invalidation.Journal = (*nilJournal)(nil) }), "Journal: a nil *cache.nilJournal"},

		"a nil near store":     {tiered((*Redis)(nil), NewMemory(), nil), "near: a nil *cache.Redis"},
		"a nil far store":      {tiered(NewMemory(), (*Memcached)(nil), nil), "far: a nil *cache.Memcached"},
		"a nil bus of tiers":   {tiered(NewMemory(), NewMemory(), (*SequencedBus)(nil)), "Bus: a nil *cache.SequencedBus"},
		"a zero bus of tiers":  {tiered(NewMemory(), NewMemory(), &SequencedBus{}), "NewBus"},
		"a bus of no wire":     {second(NewBus(nil, BusConfig{})), "Wire: nil"},
		"a bus of a nil wire":  {second(NewBus((*nilWire)(nil), BusConfig{})), "Wire: nil (*cache.nilWire)"},
		"a bus of no channels": {second(NewBus(muteWire{}, BusConfig{})), "without channels"},
		"no client":            {second(NewRedisBus(nil, "n", BusConfig{})), "client: nil"},
		"a nil client":         {second(NewRedisBus((*redis.Client)(nil), "n", BusConfig{})), "client: nil (*redis.Client)"},
		"a nil router":         {second(NewRedisBus((*router.Redis)(nil), "n", BusConfig{})), "client: nil (*router.Redis)"},

		"a nil codec":              {space(func(c *SpaceConfig[userKey, user]) { c.Codec = (*nilCodec)(nil) }), "Codec: a nil *cache.nilCodec"},
		"a nil AES":                {space(func(c *SpaceConfig[userKey, user]) { c.Codec = (*AES[user])(nil) }), "Codec: a nil *cache.AES"},
		"AES of nothing":           {second(NewAES[user](nil, make([]byte, 16))), "inner codec: nil"},
		"AES of a nil codec":       {second(NewAES[user]((*nilCodec)(nil), make([]byte, 16))), "inner codec: nil (*cache.nilCodec)"},
		"a nil journal of a space": {space(func(c *SpaceConfig[userKey, user]) { c.Invalidation.Journal = (*nilJournal)(nil) }), "Journal: a nil *cache.nilJournal"},
		"a nil journal of writes": {space(func(c *SpaceConfig[userKey, user]) {
			c.WriteBehind.Apply, c.WriteBehind.Journal = apply, (*nilJournal)(nil)
		}), "WriteBehind.Journal: a nil *cache.nilJournal"},
		"a nil codec of keys":       {space(func(c *SpaceConfig[userKey, user]) { c.WriteBehind.KeyCodec = (*nilKeys)(nil) }), "KeyCodec: a nil *cache.nilKeys"},
		"writes of no journal":      {second(OpenWriteJournal(t.Context(), nil, "x/1")), "journal: nil"},
		"writes of a nil journal":   {second(OpenWriteJournal(t.Context(), (*nilJournal)(nil), "x/1")), "journal: nil (*cache.nilJournal)"},
		"an index with a nil codec": {second(NewIndex(s, IndexConfig[wordKey, userKey, user]{Name: "i", Codec: (*nilKeys)(nil), Load: func(context.Context, wordKey) (userKey, error) { return ada, nil }, Names: func(user) []wordKey { return nil }})), "Codec: a nil *cache.nilKeys"},

		"rules of no manager":     {rules(nil, EpochOf[renamed](s)), "manager: nil"},
		"rules of a zero manager": {rules(&Manager{}, EpochOf[renamed](s)), "NewManager"},
		"a zero action":           {rules(m, Action[renamed]{}), "a zero Action"},
		"keys of no space":        {rules(m, KeysOf(none, keys)), "KeysOf: nil"},
		"keys of a zero space":    {rules(m, KeysOf(&Space[userKey, user]{}, keys)), "KeysOf: nil, or a zero value"},
		"keys by no function":     {rules(m, KeysOf[renamed](s, nil)), "KeysOf: a nil function"},
		"tags of no manager":      {rules(m, TagsOf(nil, tags)), "TagsOf: nil"},
		"tags of a zero manager":  {rules(m, TagsOf(&Manager{}, tags)), "TagsOf: nil, or a zero value"},
		"tags by no function":     {rules(m, TagsOf[renamed](m, nil)), "TagsOf: a nil function"},
		"a pattern of no space":   {rules(m, PatternOf(none, pattern)), "PatternOf: nil"},
		"a pattern by no one":     {rules(m, PatternOf[renamed](s, nil)), "PatternOf: a nil function"},
		"an epoch of no space":    {rules(m, EpochOf[renamed](none)), "EpochOf: nil"},
	} {
		if !errors.Is(c.err, ErrConfig) || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%s: %v; want an ErrConfig that says %q", name, c.err, c.says)
		}
	}
}

// A Memory needs no NewMemory.
func TestZeroMemory(t *testing.T) {
	var m Memory
	wantMiss(t, &m, "k")
	del(t, &m, "k", AnyVersion, 0)
	if !set(t, &m, "k", stored("x", 1)) {
		t.Error("not stored")
	}
	wantEntry(t, &m, "k", "x", 1)
	var counts, tags, leases Memory
	if n, err := counts.Incr(t.Context(), "n", 1, longTTL); n != 1 || err != nil {
		t.Errorf("Incr: %d, %v", n, err)
	}
	if v := tags.MakeTags(t.Context(), []string{"t"}); v[0].Err != nil || v[0].Version == 0 {
		t.Errorf("MakeTags: %+v", v)
	}
	lease(t, &leases, "k", LeaseRequest{}, Won)
	src := newSource()
	mustGet(t, newUsers(t, newManager(t, &Memory{}), func(c *SpaceConfig[userKey, user]) { c.Load = src.load }), ada)
}
