package memcache

import "context"

// Meta is what all operations on keys are made of.
type Meta interface {
	MetaGet(context.Context, GetRequest) (Response, error)
	MetaSet(context.Context, SetRequest) (Response, error)
	MetaDelete(context.Context, DeleteRequest) (Response, error)
	MetaArithmetic(context.Context, ArithmeticRequest) (Response, error)
}

// Over returns a Client that has no server of its own: its operations on keys,
// from Get to MetaDeleteMulti, are made of those of meta, each key by itself. All
// others fail with ErrClosed. It need not be closed.
//
// It is for who stands between an operation and the server, such as a router that
// has two servers to ask.
func Over(meta Meta) *Client {
	c := &Client{over: meta, closed: true}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.cancel()
	return c
}

// eachOver is runBatch over a Meta.
func eachOver[R any](ctx context.Context, requests []R, do func(context.Context, R) (Response, error)) ([]Result, error) {
	results, first := make([]Result, len(requests)), error(nil)
	for i, r := range requests {
		results[i].Response, results[i].Err = do(ctx, r)
		if first == nil {
			first = results[i].Err
		}
	}
	return results, first
}
