package cache

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ContractSchema is the form of a Contract. A reader refuses others.
const ContractSchema = "ringway.cache.contract/1"

// Contract is what other services have to know to invalidate what this one caches: how
// keys are made, and which events it looks at. It goes over the wire as JSON; new
// fields may come without a new ContractSchema. docs/guide/cache-keys.md has what a
// program in another language needs beside, with test vectors.
type Contract struct {
	Schema    string          `json:"schema"`     // ContractSchema
	TagPrefix string          `json:"tag_prefix"` // of the keys of tags: "@tags/"
	Spaces    []ContractSpace `json:"spaces"`     // by name and schema
	Events    []ContractEvent `json:"events"`     // of all Rules
}

// ContractSpace is a space.
type ContractSpace struct {
	Name     string         `json:"name"`
	Schema   uint32         `json:"schema"`
	Prefix   string         `json:"prefix"`      // of its keys: "user/3/"
	Axes     []ContractAxis `json:"axes"`        // fields of its keys, in their order
	TTL      int64          `json:"ttl_ms"`      // how long a value is fresh, in ms
	HoldOff  int64          `json:"hold_off_ms"` // LifeConfig.HoldOff in ms: see cache-keys.md
	Epochs   bool           `json:"epochs"`
	EpochKey string         `json:"epoch_key,omitempty"`
	HasTags  bool           `json:"tags"`

	// Copies is how many copies a key may have beside its entry, of HotConfig.Copies:
	// under the key with ~1, ~2 … to this number behind it. See ToDelete.
	Copies int `json:"copies,omitempty"`
}

// ContractAxis is a field of keys.
type ContractAxis struct {
	Name string `json:"name"` // of SpaceConfig.Axes, or its place: "1"
	Type string `json:"type"` // "string", "bytes", "int", "uint", "bool" or "personal"
}

// ContractEvent says that an event invalidates something.
type ContractEvent struct {
	Event string `json:"event"`
	By    string `json:"by"`              // "key", "tag", "pattern" or "epoch"
	Space string `json:"space,omitempty"` // name and schema: "user/3"; of tags empty
}

var axisTypes = map[byte]string{'s': "string", 'b': "bytes", 'i': "int", 'u': "uint", 't': "bool", 'p': "personal"}

// Contract returns that of all spaces and rules that the manager has by now.
func (m *Manager) Contract() Contract {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := Contract{Schema: ContractSchema, TagPrefix: m.tags.prefix, Spaces: []ContractSpace{}, Events: []ContractEvent{}}
	for _, s := range m.spaces {
		c.Spaces = append(c.Spaces, s.contract())
	}
	slices.SortFunc(c.Spaces, func(a, b ContractSpace) int { return strings.Compare(a.Prefix, b.Prefix) })
	for _, e := range m.events {
		if !slices.Contains(c.Events, e) {
			c.Events = append(c.Events, e)
		}
	}
	return c
}

func (s *Space[K, V]) contract() ContractSpace {
	c := ContractSpace{Name: s.cfg.Name, Schema: s.cfg.Schema, Prefix: s.prefix, Axes: axesOf[K](s.cfg.Axes),
		TTL: s.cfg.Life.TTL.Milliseconds(), HoldOff: s.cfg.Life.HoldOff.Milliseconds(), HasTags: s.cfg.Tags.any()}
	c.Copies = max(0, s.cfg.Hot.Copies-1)
	if s.epochs != nil {
		c.Epochs, c.EpochKey = true, s.epochs.key
	}
	return c
}

// axesOf returns the fields that the zero key has.
func axesOf[K Key](names []string) (axes []ContractAxis) {
	axes = []ContractAxis{}
	defer func() { _ = recover() }() // of a key that cannot be zero nothing is known
	b := &KeyBuilder{secret: []byte{0}}
	var zero K
	zero.AppendKey(b)
	for rest := string(b.text); rest != ""; {
		field, more, whole := cutField(rest)
		if !whole {
			break
		}
		name := fmt.Sprint(len(axes) + 1)
		if len(axes) < len(names) {
			name = names[len(axes)]
		}
		axes, rest = append(axes, ContractAxis{Name: name, Type: axisTypes[field[0]]}), more
	}
	return axes
}

// checkAxes refuses names that are not those of the fields.
func checkAxes[K Key](names []string) error {
	if len(names) == 0 {
		return nil
	}
	if axes := axesOf[K](nil); len(axes) != len(names) {
		return configError("Axes", fmt.Sprint(len(names), " names"), fmt.Sprint(len(axes), ", as many as AppendKey of a zero key writes fields"))
	}
	for i, name := range names {
		if name == "" || slices.Contains(names[:i], name) {
			return configError(fmt.Sprintf("Axes[%d]", i), fmt.Sprintf("%.80q", name), "a name that no other has")
		}
	}
	return nil
}

// ReadContract reads a Contract from JSON. What it returns has names, types and
// prefixes that a contract can have; an error says what has not.
func ReadContract(from io.Reader) (Contract, error) {
	var c Contract
	if err := json.NewDecoder(from).Decode(&c); err != nil {
		return Contract{}, fmt.Errorf("cache: contract: %w", err)
	}
	if c.Schema != ContractSchema {
		return Contract{}, fmt.Errorf("cache: contract: schema %.60q, want %q", c.Schema, ContractSchema)
	}
	if scope, whole := strings.CutSuffix(strings.TrimPrefix(c.TagPrefix, tagMark), "/"); !whole || !nameForm.MatchString(scope) || c.TagPrefix[0] != tagMark[0] {
		return Contract{}, fmt.Errorf("cache: contract: tag_prefix %.80q, want one like \"@tags/\"", c.TagPrefix)
	}
	for i, s := range c.Spaces {
		if err := s.check(); err != nil {
			return Contract{}, fmt.Errorf("cache: contract: spaces[%d]: %w", i, err)
		}
	}
	for i, e := range c.Events {
		if e.Event == "" || e.By == "" {
			return Contract{}, fmt.Errorf("cache: contract: events[%d]: event %.80q by %.80q, want both", i, e.Event, e.By)
		}
	}
	return c, nil
}

func (s *ContractSpace) check() error {
	if want := fmt.Sprintf("%s/%d/", s.Name, s.Schema); !nameForm.MatchString(s.Name) || s.Prefix != want {
		return fmt.Errorf("name %.80q with prefix %.90q, want a name of a space and %.90q", s.Name, s.Prefix, want)
	}
	if s.Copies < 0 || s.Copies >= maxCopies {
		return fmt.Errorf("copies: %d, want 0 to %d", s.Copies, maxCopies-1)
	}
	for i, axis := range s.Axes {
		known := false
		for _, t := range axisTypes {
			known = known || t == axis.Type
		}
		if !known {
			return fmt.Errorf("axes[%d]: type %.40q, want string, bytes, int, uint, bool or personal", i, axis.Type)
		}
	}
	return nil
}

// Space returns the space of that name and schema: "user/3".
func (c *Contract) Space(name string) (s ContractSpace, found bool) {
	for _, s := range c.Spaces {
		if s.Prefix == name+"/" {
			return s, true
		}
	}
	return s, false
}

// Key returns the key of the store for the values of the axes, in their order: a
// string, []byte, int, int64, uint, uint64 or bool each, as the type of the axis wants.
// The secret is for personal fields.
func (s *ContractSpace) Key(secret []byte, values ...any) (string, error) {
	if len(values) != len(s.Axes) {
		return "", &KeyError{Space: s.Prefix, Problem: fmt.Sprintf("%d values, want %d", len(values), len(s.Axes))}
	}
	for i, v := range values {
		if !fits(s.Axes[i].Type, v) {
			return "", &KeyError{Space: s.Prefix, Problem: fmt.Sprintf("a %T for axis %q, want %s", v, s.Axes[i].Name, s.Axes[i].Type)}
		}
	}
	k, err := storeKeyOf(s.Prefix, contractKey{axes: &s.Axes, values: &values}, nil, secret)
	return k.text, err
}

// ToDelete returns what is to be deleted so that nobody reads an old value under a key of
// the store, in this order: the key, and then the copies that it may have, each of which
// its own node has. A copy that is deleted before the key may be made anew of what is old.
func (s *ContractSpace) ToDelete(key string) []string {
	keys := []string{key}
	for i := range s.Copies {
		keys = append(keys, copyKeyOf(key, i+1))
	}
	return keys
}

// TagKey returns the key of the store for the version of a tag.
func (c *Contract) TagKey(secret []byte, tag Tag) (string, error) {
	m := &Manager{cfg: ManagerConfig{Secret: secret}}
	m.tags.prefix = c.TagPrefix
	ref, err := m.tagRef(tag)
	if err != nil {
		return "", err
	}
	return ref.text, nil
}

func fits(axis string, v any) (ok bool) {
	switch v.(type) {
	case string:
		return axis == "string" || axis == "personal"
	case []byte:
		return axis == "bytes"
	case int, int64:
		return axis == "int"
	case uint, uint64:
		return axis == "uint"
	case bool:
		return axis == "bool"
	}
	return false
}

// contractKey is a key whose fields a contract says.
type contractKey struct {
	axes   *[]ContractAxis
	values *[]any
}

func (k contractKey) AppendKey(b *KeyBuilder) {
	for i, v := range *k.values {
		switch v := v.(type) {
		case string:
			if (*k.axes)[i].Type == "personal" {
				b.Personal(v)
			} else {
				b.String(v)
			}
		case []byte:
			b.Bytes(v)
		case int:
			b.Int(int64(v))
		case int64:
			b.Int(v)
		case uint:
			b.Uint(uint64(v))
		case uint64:
			b.Uint(v)
		case bool:
			b.Bool(v)
		}
	}
}
