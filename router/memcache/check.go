package memcache

// CheckGet returns the error with which GetMulti would refuse the keys, or nil.
// Nothing is sent. It is for callers who cut a batch into several and want it to
// be refused as a whole.
func (c *Client) CheckGet(keys []string) error {
	var scratch []byte
	for _, key := range keys {
		var err error
		if scratch, err = c.get(scratch[:0], &GetRequest{Key: key}, 0); err != nil {
			return err
		}
	}
	return nil
}

// CheckSet returns the error with which SetMulti would refuse the items, or nil:
// see CheckGet.
func (c *Client) CheckSet(items []Item) error {
	var scratch []byte
	for _, item := range items {
		r := setRequest(item, ModeSet)
		var err error
		if scratch, err = c.set(scratch[:0], &r, 0, true); err != nil {
			return err
		}
	}
	return nil
}
