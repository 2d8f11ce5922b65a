package cache

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// deleteRaw deletes keys on all nodes, as a service without this package does.
func deleteRaw(t *testing.T, kind string, addresses, keys []string) {
	t.Helper()
	for _, address := range addresses {
		if kind == "redis" {
			client := redis.NewClient(&redis.Options{Addr: address})
			for _, key := range keys {
				if err := client.Unlink(t.Context(), key).Err(); err != nil {
					t.Error(err)
				}
			}
			_ = client.Close()
			continue
		}
		conn, err := net.DialTimeout("tcp", address, 30*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			reply := make([]byte, 4)
			if _, err := fmt.Fprintf(conn, "md %s\r\n", key); err != nil {
				t.Error(err)
			} else if _, err := io.ReadFull(conn, reply); err != nil || string(reply) != "HD\r\n" && string(reply) != "NF\r\n" {
				t.Errorf("md %s: %q, %v", key, reply, err)
			}
		}
		_ = conn.Close()
	}
}

// What the contract says is to be deleted is enough, also of a key that is hot: nobody
// reads what was there before from the fleet.
func TestContractSaysWhatToDelete(t *testing.T) {
	for _, b := range backends {
		if b.name == "memory" { // no other service reaches that
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			addresses := b.start(t, 2)
			m := newManager(t, b.open(t, addresses))
			var name atomic.Value
			name.Store("old")
			s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
				c.Hot = HotConfig{Keys: 4, Copies: 4}
				c.Load = func(context.Context, userKey) (Loaded[user], error) {
					return Loaded[user]{Value: user{Name: name.Load().(string)}}, nil
				}
			})
			s.hot.mu.Lock()
			s.hot.hot.Store(&map[userKey]struct{}{ada: {}})
			s.hot.next = time.Now().Add(time.Hour)
			s.hot.mu.Unlock()
			eventually(t, "all copies are there", func() bool {
				mustGet(t, s, ada)
				return len(bytesOf(t, m, "user", "old")) == 4
			})

			data, err := json.Marshal(m.Contract())
			if err != nil {
				t.Fatal(err)
			}
			contract, err := ReadContract(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			space, _ := contract.Space("user/3")
			key, err := space.Key(nil, ada.Tenant, ada.ID)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(space.ToDelete(key), " "); got != key+" "+key+"~1 "+key+"~2 "+key+"~3" {
				t.Fatalf("to be deleted: %s", got)
			}
			name.Store("new")
			deleteRaw(t, b.name, addresses, space.ToDelete(key))
			for range 100 { // by chance each is looked at, but for once in 10^12 times
				if v, meta := mustGet(t, s, ada); v.Name != "new" {
					t.Fatalf("%q was read, from %v", v.Name, meta.Source)
				}
			}
		})
	}
}

// How many copies there may be bounds what a reader of a contract makes of it.
func TestContractCopies(t *testing.T) {
	for copies, fine := range map[int]bool{-1: false, 0: true, 1: true, 15: true, 16: false, 1 << 40: false} {
		text := fmt.Sprintf(`{"schema":"ringway.cache.contract/1","tag_prefix":"@tags/","spaces":[{"name":"a","schema":1,"prefix":"a/1/","copies":%d}]}`, copies)
		if _, err := ReadContract(strings.NewReader(text)); (err == nil) != fine {
			t.Errorf("%d copies: %v", copies, err)
		}
	}
	if got := (&ContractSpace{}).ToDelete("k"); len(got) != 1 || got[0] != "k" {
		t.Errorf("without copies: %q", got)
	}
}
