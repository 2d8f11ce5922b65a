package demo

import (
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/ringway/ringway/internal/splitmix"
	"github.com/ringway/ringway/simulations/trace"
)

// updateEvery: of so many requests one changes what it asks for, so that a value
// which is old can be told.
const updateEvery = 50

// workload is the requests, over and over again. It does not change, and is the
// same in every demo of the same number of keys.
type workload struct {
	keys     []string
	products int     // in the trace: keys[i] and keys[i+products] are of the same one
	requests []int32 // indices of products, in the order of the trace
}

// newWorkload reads the bundled trace, as far as it is about the first products in
// it if there are to be fewer keys. If there are to be more, there are several keys
// a product.
func newWorkload(keys int) (*workload, error) {
	reader, err := trace.Bundled(trace.Config{})
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	w := &workload{}
	index := make(map[string]int32)
	var request trace.Request
	for {
		err := reader.Next(&request)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		i, known := index[string(request.Key)]
		if !known {
			if len(w.keys) == keys {
				continue
			}
			i = int32(len(w.keys))
			key := string(request.Key)
			index[key] = i
			w.keys = append(w.keys, key)
		}
		w.requests = append(w.requests, i)
	}
	w.products = len(w.keys)
	for i := w.products; i < keys; i++ {
		w.keys = append(w.keys, w.keys[i%w.products]+"/"+strconv.Itoa(i/w.products+1))
	}
	return w, nil
}

// request returns which key the request of that number is about, and whether it
// changes it.
func (w *workload) request(number uint64) (key int, update bool) {
	random := splitmix.Mix(number)
	key = int(w.requests[number%uint64(len(w.requests))])
	if copies := (len(w.keys)-1)/w.products + 1; copies > 1 {
		if other := key + w.products*int(random>>32%uint64(copies)); other < len(w.keys) {
			key = other
		}
	}
	return key, random%updateEvery == 0
}

// ttl is how long a version of a key lives: one in eight for 10 to 40 s, so that
// some end while one looks on, the others for 10 to 60 minutes.
func ttl(key int, version uint32) time.Duration {
	random := splitmix.Mix(uint64(key)<<32 | uint64(version))
	if random%8 == 0 {
		return time.Duration(10+random>>8%31) * time.Second
	}
	return time.Duration(600+random>>8%3001) * time.Second
}
