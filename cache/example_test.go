package cache_test

import (
	"context"
	"fmt"

	"github.com/ringway/ringway/cache"
)

type ArticleKey struct {
	Language string
	ID       int64
}

func (k ArticleKey) AppendKey(b *cache.KeyBuilder) {
	b.String(k.Language)
	b.Int(k.ID)
}

type Article struct{ Title string }

func Example() {
	ctx := context.Background()
	m, err := cache.NewManager(cache.ManagerConfig{Store: cache.NewMemory()}) // or cache.OnRedis(client)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	articles, err := cache.NewSpace(m, cache.SpaceConfig[ArticleKey, Article]{
		Name: "article", Schema: 1,
		Load: func(_ context.Context, k ArticleKey) (cache.Loaded[Article], error) {
			return cache.Loaded[Article]{Value: Article{fmt.Sprint("No. ", k.ID)}, Version: 1}, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		article, meta, err := articles.Get(ctx, ArticleKey{"en", 7})
		fmt.Println(article.Title, meta.Source, err)
	}
	// Output:
	// No. 7 loader <nil>
	// No. 7 L2 <nil>
}
