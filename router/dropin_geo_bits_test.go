package router

import (
	"context"

	"github.com/redis/go-redis/v9"
)

var geoSteps = []step{
	{"GEOADD", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.GeoAdd(ctx, "{geo}a",
			&redis.GeoLocation{Name: "Palermo", Longitude: 13.361389, Latitude: 38.115556},
			&redis.GeoLocation{Name: "Catania", Longitude: 15.087269, Latitude: 37.502669}).Result())
	}},
	{"GEODIST", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.GeoDist(ctx, "{geo}a", "Palermo", "Catania", "km").Result())
	}},
	{"GEOHASH", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.GeoHash(ctx, "{geo}a", "Palermo").Result())
	}},
	{"GEOPOS", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.GeoPos(ctx, "{geo}a", "Palermo", "Rome").Result())
	}},
	{"GEOSEARCH", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.GeoSearch(ctx, "{geo}a", &redis.GeoSearchQuery{Longitude: 15, Latitude: 37, Radius: 200, RadiusUnit: "km", Sort: "ASC"}).Result())
	}},
	{"GEOSEARCHSTORE", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.GeoSearchStore(ctx, "{geo}a", "{geo}b", &redis.GeoSearchStoreQuery{
			GeoSearchQuery: redis.GeoSearchQuery{Longitude: 15, Latitude: 37, Radius: 100, RadiusUnit: "km"}}).Result())
	}},
	{"GEORADIUS", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.GeoRadius(ctx, "{geo}a", 15, 37, &redis.GeoRadiusQuery{Radius: 200, Unit: "km", WithDist: true, Sort: "ASC"}).Result())
	}},
}

var bitSteps = []step{ // HyperLogLogs too
	{"PFADD", func(ctx context.Context, c redis.UniversalClient) gave {
		c.PFAdd(ctx, "{pf}2", "c", "d")
		return of(c.PFAdd(ctx, "{pf}1", "a", "b", "c").Result())
	}},
	{"PFCOUNT", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.PFCount(ctx, "{pf}1", "{pf}2").Result())
	}},
	{"PFMERGE", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.PFMerge(ctx, "{pf}3", "{pf}1", "{pf}2").Result())
	}},
	{"SETBIT", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.SetBit(ctx, "{bit}a", 7, 1).Result())
	}},
	{"GETBIT", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.GetBit(ctx, "{bit}a", 7).Result())
	}},
	{"BITCOUNT", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.BitCount(ctx, "{bit}a", &redis.BitCount{Start: 0, End: -1}).Result())
	}},
	{"BITPOS", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.BitPos(ctx, "{bit}a", 1).Result())
	}},
	{"BITFIELD", func(ctx context.Context, c redis.UniversalClient) gave {
		return of(c.BitField(ctx, "{bit}f", "INCRBY", "u8", 0, 200, "GET", "u4", 0).Result())
	}},
	{"BITOP", func(ctx context.Context, c redis.UniversalClient) gave {
		c.SetBit(ctx, "{bit}b", 3, 1)
		return of(c.BitOpOr(ctx, "{bit}o", "{bit}a", "{bit}b").Result())
	}},
}
