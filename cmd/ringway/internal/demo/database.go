package demo

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// loadCost is what a load from the database takes.
const loadCost = 2 * time.Millisecond

// database stands for what is behind the cache: it has a version of each key, takes
// a while for each load, and counts them.
type database struct {
	keys     []string
	versions []atomic.Uint32
	cost     time.Duration
	loads    atomic.Uint64
}

func newDatabase(keys []string) *database {
	return &database{keys: keys, versions: make([]atomic.Uint32, len(keys)), cost: loadCost}
}

// load returns what there is under a key now.
func (d *database) load(key int) (version uint32, value []byte) {
	d.loads.Add(1)
	time.Sleep(d.cost)
	version = d.versions[key].Load()
	return version, d.value(key, version)
}

// update changes what there is under a key, and returns it.
func (d *database) update(key int) (version uint32, value []byte) {
	version = d.versions[key].Add(1)
	return version, d.value(key, version)
}

// value is what a version of a key is: 100 to 500 bytes, from which both can be
// read.
func (d *database) value(key int, version uint32) []byte {
	head := fmt.Sprintf(`{"key":%q,"version":%d,"text":"`, d.keys[key], version)
	return []byte(head + strings.Repeat("ringway ", 5+key%50) + `"}`)
}
