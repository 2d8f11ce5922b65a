package memcache

import "context"

// MetaGet sends one mg. The Response has StatusValue if the item is there and
// its value was asked for, StatusOK if it is there, StatusMiss if not. A miss is
// no error here. An error says that there is no such Response: a *KeyError, an
// *InputError, a *ServerError or a *NoReplyError.
func (c *Client) MetaGet(ctx context.Context, r GetRequest) (Response, error) {
	if c.over != nil {
		return c.over.MetaGet(ctx, r)
	}
	k := c.newCall(commandGet)
	var err error
	if k.line, err = c.get(k.line, &r, noTag); err != nil {
		k.free()
		return Response{}, err
	}
	k.want, k.opaque, k.key = r.Return, r.Opaque, r.Key
	return c.meta(ctx, k)
}

// MetaSet sends one ms. The Response has StatusOK if the value was stored,
// StatusNotStored if the mode's condition did not hold, StatusExists or
// StatusNotFound if CompareCAS was given and the item has another value or is
// gone. The value is copied before MetaSet returns, whatever it returns.
func (c *Client) MetaSet(ctx context.Context, r SetRequest) (Response, error) {
	if c.over != nil {
		return c.over.MetaSet(ctx, r)
	}
	k := c.newCall(commandSet)
	var err error
	if k.line, err = c.set(k.line, &r, noTag, false); err != nil {
		k.free()
		return Response{}, err
	}
	k.want, k.opaque, k.key = r.Return&setReturns, r.Opaque, r.Key
	k.value, k.block = r.Value, true
	return c.meta(ctx, k)
}

// MetaDelete sends one md. The Response has StatusOK if the item was deleted or
// marked as stale, StatusNotFound if it was not there, StatusExists if it has
// another CAS value than CompareCAS.
func (c *Client) MetaDelete(ctx context.Context, r DeleteRequest) (Response, error) {
	if c.over != nil {
		return c.over.MetaDelete(ctx, r)
	}
	k := c.newCall(commandDelete)
	var err error
	if k.line, err = c.delete(k.line, &r, noTag); err != nil {
		k.free()
		return Response{}, err
	}
	k.want, k.opaque, k.key = r.Return&deleteReturns, r.Opaque, r.Key
	return c.meta(ctx, k)
}

// MetaArithmetic sends one ma. The Response has StatusOK, or StatusValue with
// the number in decimal if ReturnValue was asked for; StatusNotFound on a miss
// without Create; StatusNotStored if the item could not be created after a miss
// because another client did so meanwhile; StatusExists as MetaDelete. A value
// that is not a number is an error that matches ErrClientError.
func (c *Client) MetaArithmetic(ctx context.Context, r ArithmeticRequest) (Response, error) {
	if c.over != nil {
		return c.over.MetaArithmetic(ctx, r)
	}
	k := c.newCall(commandArithmetic)
	var err error
	if k.line, err = c.arithmetic(k.line, &r); err != nil {
		k.free()
		return Response{}, err
	}
	k.want, k.opaque, k.key = r.Return&arithmeticReturns, r.Opaque, r.Key
	return c.meta(ctx, k)
}

func (c *Client) meta(ctx context.Context, k *call) (Response, error) {
	own, err := c.do(ctx, k, 1)
	if !own {
		return Response{}, err
	}
	resp := k.resp
	k.free()
	return resp, err
}
