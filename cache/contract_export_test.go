package cache

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
)

// keyVectors are testdata/keys.json, which was computed by a program in another
// language, from docs/guide/cache-keys.md alone.
type keyVectors struct {
	Secret string `json:"secret_hex"`
	Keys   []struct {
		Prefix string
		Fields []struct{ Type, Value string }
		Key    string
		ID     string `json:"identity"`
	}
	Tags []struct {
		Tag Tag
		Key string
	}
}

func TestKeyVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/keys.json")
	if err != nil {
		t.Fatal(err)
	}
	var v keyVectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	secret, _ := hex.DecodeString(v.Secret)
	for _, k := range v.Keys {
		space := ContractSpace{Prefix: k.Prefix}
		var values []any
		for _, f := range k.Fields {
			space.Axes = append(space.Axes, ContractAxis{Type: f.Type})
			values = append(values, axisValue(t, f.Type, f.Value))
		}
		if got, err := space.Key(secret, values...); err != nil || got != k.Key {
			t.Errorf("%+v: %q, %v; want %q", k.Fields, got, err, k.Key)
		}
		key, err := storeKeyOf(k.Prefix, contractKey{&space.Axes, &values}, nil, secret)
		if id := hex.EncodeToString(key.identity[:]); err != nil || id != k.ID {
			t.Errorf("%+v: identity %s, want %s", k.Fields, id, k.ID)
		}
	}
	contract := Contract{TagPrefix: "@tags/"}
	for _, tag := range v.Tags {
		if got, err := contract.TagKey(secret, tag.Tag); err != nil || got != tag.Key {
			t.Errorf("%+v: %q, %v; want %q", tag.Tag, got, err, tag.Key)
		}
	}
	if len(v.Keys) < 6 || len(v.Tags) < 3 {
		t.Error("vectors are missing")
	}
}

func axisValue(t *testing.T, axis, text string) any {
	t.Helper()
	var value any = text
	var err error
	switch axis {
	case "bytes":
		value, err = hex.DecodeString(text)
	case "int":
		value, err = strconv.ParseInt(text, 10, 64)
	case "uint":
		value, err = strconv.ParseUint(text, 10, 64)
	case "bool":
		value = text == "true"
	}
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// What a manager says of itself another service reads, and makes the same keys of.
func TestContract(t *testing.T) {
	m, err := NewManager(ManagerConfig{Store: NewMemory(), Secret: secret, TagSpace: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	users := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
		c.Axes, c.Epochs, c.Life.TTL = []string{"tenant", "id"}, true, 1500e6
		tenantTags(c)
	})
	mails, err := NewSpace(m, SpaceConfig[mailKey, user]{Name: "mail"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewRules(m, Rule[int]{Event: "renamed", Do: []Action[int]{
		KeysOf(users, func(int) []userKey { return nil }), TagsOf(m, func(int) []Tag { return nil })}}); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(m.Contract())
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"schema":"ringway.cache.contract/1","tag_prefix":"@shop/","spaces":[` +
		`{"name":"mail","schema":0,"prefix":"mail/0/","axes":[{"name":"1","type":"string"},{"name":"2","type":"personal"}],"ttl_ms":300000,"hold_off_ms":0,"epochs":false,"tags":false},` +
		`{"name":"user","schema":3,"prefix":"user/3/","axes":[{"name":"tenant","type":"string"},{"name":"id","type":"int"}],"ttl_ms":1500,"hold_off_ms":0,"epochs":true,"epoch_key":"user/3/*","tags":true}],` +
		`"events":[{"event":"renamed","by":"key","space":"user/3"},{"event":"renamed","by":"tag"}]}`
	if string(data) != want {
		t.Errorf("%s\nwant\n%s", data, want)
	}
	c, err := ReadContract(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	space, found := c.Space("user/3")
	key, err := space.Key(secret, "acme", 1)
	if k, _ := users.keyOf(t.Context(), ada); !found || err != nil || key != k.text {
		t.Errorf("%q, %v; want %q", key, err, k.text)
	}
	space, _ = c.Space("mail/0")
	key, err = space.Key(secret, mail.Tenant, mail.Mail)
	if k, _ := mails.keyOf(t.Context(), mail); err != nil || key != k.text {
		t.Errorf("%q, %v; want %q", key, err, k.text)
	}
	for name, values := range map[string][]any{"too few": {"x"}, "of another type": {"x", 7}} {
		if _, err := space.Key(secret, values...); !errors.As(err, new(*KeyError)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewSpace(m, SpaceConfig[userKey, user]{Name: "x", Axes: []string{"one"}}); !errors.Is(err, ErrConfig) {
		t.Errorf("one name for two fields: %v", err)
	}
}

func TestReadContract(t *testing.T) {
	const good = `{"schema":"ringway.cache.contract/1","tag_prefix":"@tags/","spaces":[{"name":"a","schema":1,"prefix":"a/1/","axes":[{"name":"x","type":"int"}]}],"later":1}`
	if _, err := ReadContract(strings.NewReader(good)); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"contract/1": "contract/2", "@tags/": "tags/", "a/1/": "b/1/", `"int"`: `"float"`, `"name":"a"`: `"name":"{a}"`,
		`"later":1`: `"events":[{"event":"x"}]`, "{": "[", `"@tags/"`: `""`} {
		if _, err := ReadContract(strings.NewReader(strings.Replace(good, from, to, 1))); err == nil {
			t.Errorf("%s in place of %s was taken", to, from)
		}
	}
}

// A new schema beside the old one, in a fleet that is being upgraded: each reads and
// writes its own entries, and what says the same to both is a tag.
func TestSchemasSideBySide(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		type person struct{ First, Last string }
		name := "Ada"
		m, newer := newManager(t, store), newManager(t, store)
		tags := func(userKey) []Tag { return kind("users") }
		olds := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
			c.Tags.OfKey = tags
			c.Load = func(context.Context, userKey) (Loaded[user], error) {
				return Loaded[user]{Value: user{Name: name}}, nil
			}
		})
		news, err := NewSpace(newer, SpaceConfig[userKey, person]{Name: "user", Schema: 4, Tags: TagsConfig[userKey, person]{OfKey: tags},
			Load: func(context.Context, userKey) (Loaded[person], error) {
				return Loaded[person]{Value: person{First: name}}, nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		read := func(want Source) {
			t.Helper()
			old, meta := mustGet(t, olds, ada)
			now, meta2, err := news.Get(t.Context(), ada)
			if err != nil || old.Name != name || now.First != name || meta.Source != want || meta2.Source != want {
				t.Errorf("%q from %v, %q from %v, %v; want %q from %v", old.Name, meta.Source, now.First, meta2.Source, err, name, want)
			}
		}
		read(FromLoader)
		read(FromL2)
		if err := news.Invalidate(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
		if _, meta := mustGet(t, olds, ada); meta.Source != FromL2 {
			t.Errorf("an invalidation under the new schema: the old one from %v", meta.Source)
		}
		name = "Ada L."
		untag(t, newer, "users")
		read(FromLoader)
		read(FromL2)
		for _, s := range []Stats{olds.Stats(), news.Stats()} {
			if s.OtherSchema+s.Undecodable+s.Corrupt+s.Misplaced != 0 {
				t.Errorf("one met the other's entries: %+v", s)
			}
		}
		// Also if the bytes of one lie under the key of the other.
		from, _ := olds.keyOf(t.Context(), ada)
		to, _ := news.keyOf(t.Context(), ada)
		e, err := store.Get(t.Context(), from.text)
		if err != nil {
			t.Fatal(err)
		}
		set(t, store, to.text, Entry{Value: e.Value, TTL: longTTL})
		if v, meta, err := news.Get(t.Context(), ada); err != nil || meta.Source != FromLoader || v.First != name {
			t.Errorf("%+v from %v, %v", v, meta.Source, err)
		}
	})
}
