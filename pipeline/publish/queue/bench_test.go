package queue

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// BenchmarkQueue makes an event at a time, as events come, each acknowledged before the next. It tells the bytes that are written for one.
func BenchmarkQueue(b *testing.B) {
	news := make(chan struct{}, 1)
	q, err := Open(Options{Dir: b.TempDir(), Limit: 64 << 20, Changed: func() {
		select {
		case news <- struct{}{}:
		default:
		}
	}})
	if err != nil {
		b.Fatal(err)
	}
	defer q.Close()
	before := written(b)
	b.ResetTimer()
	for n := range b.N {
		e := change([]string{"enter", "leave"}[n%2], n/2%7, n)
		e.Model.SHA256 = strings.Repeat("0", 200) // as long as events are
		q.Append(topic, e)
		for {
			e, ok := q.Next()
			if ok {
				q.Ack(e.Seq)
				break
			}
			<-news
		}
	}
	b.ReportMetric(float64(written(b)-before)/float64(b.N), "bytes-written/op")
}

// written is what this process has given to write calls.
func written(b *testing.B) (n int64) {
	io, err := os.ReadFile("/proc/self/io")
	if err != nil {
		b.Skip(err)
	}
	for line := range strings.Lines(string(io)) {
		fmt.Sscanf(line, "wchar: %d", &n)
	}
	return n
}
