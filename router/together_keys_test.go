package router

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/balanced"
)

// TestSortByOtherKeys: SORT reads keys that its patterns stand for. Where they
// are is known only if they share the tag of the key.
func TestSortByOtherKeys(t *testing.T) {
	source, _ := fleetOf(t, 4)
	whole := newRedis(t, Config{Source: source, Placement: PlacementConfig{WholeKeys: true}})
	untagged := newRedis(t, Config{Source: source, Placement: PlacementConfig{
		New: func(nodes []ring.Node) (ring.Placement, error) { return balanced.New(nodes, balanced.Config{}) }}})
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	for i := range 6 {
		for _, err := range []error{
			r.RPush(ctx, "{u}:ids", i).Err(),
			r.Set(ctx, fmt.Sprint("{u}:weight:", i), 10-i, 0).Err(),
			r.Set(ctx, fmt.Sprint("{u}:name:", i), fmt.Sprint("N", i), 0).Err(),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	pinned := &redis.Sort{By: "{u}:weight:*", Get: []string{"{u}:name:*", "#"}}
	want := []string{"N5", "5", "N4", "4", "N3", "3", "N2", "2", "N1", "1", "N0", "0"}
	if got, err := r.Sort(ctx, "{u}:ids", pinned).Result(); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if err := r.Sort(ctx, "{u}:ids", &redis.Sort{By: "nosort"}).Err(); err != nil {
		t.Errorf("BY without a pattern: %v", err)
	}
	refused := func(what string, err error) {
		t.Helper()
		var unsupported *UnsupportedError
		if !errors.As(err, &unsupported) {
			t.Errorf("%s: %v, want an *UnsupportedError", what, err)
		}
	}
	refused("no tag", r.Sort(ctx, "{u}:ids", &redis.Sort{By: "weight:*"}).Err())
	refused("a tag with the star in it", r.Sort(ctx, "{u}:ids", &redis.Sort{By: "{u*}:weight"}).Err())
	refused("whole keys are hashed", whole.Sort(ctx, "{u}:ids", pinned).Err())
	refused("a placement without tags", untagged.Sort(ctx, "{u}:ids", pinned).Err())
	_, err := r.Pipelined(ctx, func(p redis.Pipeliner) error { p.Sort(ctx, "{u}:ids", &redis.Sort{By: "weight:*"}); return nil })
	refused("in a pipeline", err)
	other := "other"
	for i := 0; r.NodeFor("{u}:ids") == r.NodeFor("{"+other+"}"); i++ {
		other = fmt.Sprint("other", i)
	}
	var crossing *CrossNodeError
	if err := r.Sort(ctx, "{u}:ids", &redis.Sort{By: "{" + other + "}:weight:*"}).Err(); !errors.As(err, &crossing) {
		t.Errorf("a tag of another node: %v", err)
	}
}

// TestScriptsWithoutKeys: what they write would be on another node each time.
func TestScriptsWithoutKeys(t *testing.T) {
	source, _ := fleetOf(t, 2)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	for name, err := range map[string]error{
		"EVAL":    r.Eval(ctx, "return redis.call('incr', 'c')", nil).Err(),
		"EVALSHA": r.EvalSha(ctx, "0", nil).Err(),
		"FCALL":   r.FCall(ctx, "f", nil).Err(),
		"Do":      r.Do(ctx, "eval", "return 1", 0).Err(),
	} {
		var unsupported *UnsupportedError
		if !errors.As(err, &unsupported) {
			t.Errorf("%s: %v, want an *UnsupportedError", name, err)
		}
	}
	if got, err := r.EvalRO(ctx, "return 7", nil).Int(); got != 7 || err != nil {
		t.Errorf("EVAL_RO: %d, %v", got, err)
	}
}

// TestTransactionKeepsToItsNode: inside Watch too, a key goes to its owner or
// nowhere.
func TestTransactionKeepsToItsNode(t *testing.T) {
	source, _ := fleetOf(t, 4)
	r := newRedis(t, Config{Source: source, Keys: KeyGuard{MaxLength: 20}})
	ctx := t.Context()
	watched, fellow := keysOf(r, "node0", 2)[0], keysOf(r, "node0", 2)[1]
	foreign := keysOf(r, "node1", 1)[0]
	var crossing *CrossNodeError
	var guard *KeyError
	var unknown *UnknownCommandError
	var unsupported *UnsupportedError
	err := r.Watch(ctx, func(tx *redis.Tx) error {
		if err := tx.Set(ctx, foreign, 1, 0).Err(); !errors.As(err, &crossing) {
			t.Errorf("SET of a key of another node: %v", err)
		}
		if err := tx.Watch(ctx, foreign).Err(); !errors.As(err, &crossing) {
			t.Errorf("WATCH of a key of another node: %v", err)
		}
		if err := tx.Get(ctx, "a key that is much too long").Err(); !errors.As(err, &guard) {
			t.Errorf("a key that the guard refuses: %v", err)
		}
		if err := tx.Process(ctx, redis.NewCmd(ctx, "nonesuch", watched)); !errors.As(err, &unknown) {
			t.Errorf("an unknown command: %v", err)
		}
		if err := tx.Process(ctx, redis.NewCmd(ctx, "subscribe", "c")); !errors.As(err, &unsupported) {
			t.Errorf("a command that is refused: %v", err)
		}
		_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, watched, 1, 0)
			p.Set(ctx, foreign, 1, 0)
			return nil
		})
		if !errors.As(err, &crossing) {
			t.Errorf("MULTI with a key of another node: %v", err)
		}
		if err := tx.Unwatch(ctx).Err(); err != nil {
			t.Error(err)
		}
		if err := tx.Watch(ctx, watched, fellow).Err(); err != nil {
			t.Error(err)
		}
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, watched, "w", 0)
			p.Set(ctx, fellow, "f", 0)
			return nil
		})
		return err
	}, watched)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.MGet(ctx, watched, fellow, foreign).Result(); err != nil || fmt.Sprint(got) != "[w f <nil>]" {
		t.Errorf("%v, %v", got, err)
	}
}
