package tflite

import (
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"regexp"
	"runtime"
	"testing"

	flatbuffers "github.com/google/flatbuffers/go"

	"tarsier/mnv2/internal/modelfile/modeltest"
	"tarsier/mnv2/tflite/internal/schema"
)

// tiny is a file of few bytes in the form o.
func tiny(t testing.TB, o Options) []byte {
	t.Helper()
	data, err := Write(narrow(0.02, o), o)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// No part of a file is taken for the whole. (Its last byte is the zero behind a
// string, which nothing reads.)
func TestTruncated(t *testing.T) {
	data := tiny(t, Options{PerTensor: true})
	for n := range len(data) - 1 {
		if _, err := Read(data[:n:n]); err == nil {
			t.Fatalf("the first %d of %d bytes were read", n, len(data))
		}
	}
}

// Whatever a byte is changed to, the file is read, or refused with the place.
func TestFlipped(t *testing.T) {
	place := regexp.MustCompile(`offset \d|#\d|put of the graph|schema version|metadata: `)
	rng := rand.New(rand.NewPCG(5, 6))
	for _, o := range []Options{
		{Legacy: true, ExplicitPad: true, KeepDims: true, Softmax: true},
		{Input: Uint8, Output: Float32, AveragePool: true, ConvHead: true},
	} {
		data := tiny(t, o)
		read := 0
		const n = 1000
		for range n {
			at, value := rng.IntN(len(data)), byte(rng.IntN(256))
			data[at], value = value, data[at]
			if _, err := Read(data); err == nil {
				read++
			} else if !place.MatchString(err.Error()) {
				t.Errorf("byte %d: no place in %q", at, err)
			}
			data[at] = value
		}
		if read == 0 || read == n {
			t.Errorf("%d of %d damaged files were read", read, n)
		}
	}
}

// Two million buffers that are all the same one are not counted to the end.
func TestSharedTables(t *testing.T) {
	data := repeatBuffers(tiny(t, Options{}), 2_000_000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Read(data)
	runtime.ReadMemStats(&after)
	modeltest.WantError(t, err, "damaged file: model.buffers[", "more than 16384 tables")
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("%d bytes were allocated", got)
	}
}

// repeatBuffers gives a model n buffers, all in one place, behind its end.
func repeatBuffers(data []byte, n uint32) []byte {
	u32 := func(at uint32) uint32 { return binary.LittleEndian.Uint32(data[at:]) }
	root := u32(0)
	vtable := root - u32(root)
	const buffers = 4 // the field's id
	field := root + uint32(binary.LittleEndian.Uint16(data[vtable+4+2*buffers:]))

	vector := uint32(len(data))
	table := vector + 4 + 4*n
	data = binary.LittleEndian.AppendUint32(data, n)
	for i := range n {
		data = binary.LittleEndian.AppendUint32(data, table-(vector+4+4*i))
	}
	data = binary.LittleEndian.AppendUint32(data, ^uint32(3)) // -4: its vtable follows
	data = append(data, 4, 0, 4, 0)
	binary.LittleEndian.PutUint32(data[field:], vector-field)
	return data
}

// Vectors of nothing: their first element must not be looked at.
func TestEmpty(t *testing.T) {
	b := flatbuffers.NewBuilder(0)
	nothing := offsets(b, nil)
	schema.ModelStart(b)
	schema.ModelAddVersion(b, schemaVersion)
	schema.ModelAddOperatorCodes(b, nothing)
	schema.ModelAddSubgraphs(b, nothing)
	schema.ModelAddBuffers(b, nothing)
	b.FinishWithFileIdentifier(schema.ModelEnd(b), []byte(fileIdentifier))
	_, err := Read(b.FinishedBytes())
	modeltest.WantError(t, err, "the file has no graph")

	for _, inputs := range []bool{false, true} {
		b := flatbuffers.NewBuilder(0)
		list := offsets(b, nil)
		if inputs {
			schema.SubGraphMetadataStart(b)
			schema.SubGraphMetadataAddInputTensorMetadata(b, list)
			list = offsets(b, []flatbuffers.UOffsetT{schema.SubGraphMetadataEnd(b)})
		}
		schema.ModelMetadataStart(b)
		schema.ModelMetadataAddSubgraphMetadata(b, list)
		b.Finish(schema.ModelMetadataEnd(b))
		w, err := newWriter(small(Options{}), Options{})
		if err != nil {
			t.Fatal(err)
		}
		w.metadata = b.FinishedBytes()
		if net, err := Read(w.file()); err != nil || net.Pixels != defaultPixels {
			t.Error(err)
		}
	}
}

// Every field of every table, led out of the file.
func TestFieldBeyond(t *testing.T) {
	type table struct {
		name   string
		layout layout
	}
	var all []table
	var collect func(string, layout)
	collect = func(name string, l layout) {
		all = append(all, table{name, l})
		for _, f := range l {
			if f.of != nil {
				collect(f.name, f.of)
			}
			for _, m := range f.members {
				collect(f.name, m)
			}
		}
	}
	collect("model", modelLayout)
	collect("metadata", metadataLayout)
	for _, table := range all {
		for _, f := range table.layout {
			// A table with this one field, whose distance is then set too far.
			b := flatbuffers.NewBuilder(0)
			b.StartObject(f.id + 1)
			b.PrependInt32(1)
			b.Slot(f.id)
			if f.kind == union {
				b.PrependByte(1)
				b.Slot(f.id - 1)
			}
			b.Finish(b.EndObject())
			data := b.FinishedBytes()
			root := binary.LittleEndian.Uint32(data)
			vtable := root - binary.LittleEndian.Uint32(data[root:])
			binary.LittleEndian.PutUint16(data[vtable+4+2*uint32(f.id):], 60_000)
			modeltest.WantError(t, verify(data, table.name, table.layout), "damaged file: "+table.name+"."+f.name+": offset 60")
		}
	}
}

// Layers that share one large buffer are not copied one by one.
func TestSharedWeights(t *testing.T) {
	data := tiny(t, Options{})
	m, err := open(data)
	if err != nil {
		t.Fatal(err)
	}
	m.weights = len(data) - 100
	_, err = m.network()
	modeltest.WantError(t, err, "/weights", "the layers have more weights than the file has bytes")
}

// Values behind the flatbuffer, where files of more than 2 GB have them.
func TestBufferBehind(t *testing.T) {
	for _, test := range []struct {
		offset, size uint64
		want         string
	}{
		{100, 81, ""},
		{100, 80, "80 bytes of data for shape [9 9], which needs 81"},
		{1 << 40, 81, "81 bytes at offset 1099511627776 reach beyond the end"},
		{100, 1 << 40, "1099511627776 bytes at offset 100 reach beyond the end"},
		{^uint64(0), 81, "reach beyond the end"},
	} {
		b := flatbuffers.NewBuilder(0)
		schema.BufferStart(b)
		schema.BufferAddOffset(b, test.offset)
		schema.BufferAddSize(b, test.size)
		b.Finish(schema.BufferEnd(b))
		x := tensorOf(schema.TensorTypeINT8)
		x.shape = []int{9, 9}
		x.m = &model{data: make([]byte, 200), buffers: []schema.Buffer{*schema.GetRootAsBuffer(b.FinishedBytes(), 0)}}
		got, err := x.bytes(1)
		if test.want != "" {
			modeltest.WantError(t, err, `tensor #0 "": `, test.want)
		} else if err != nil || len(got) != 81 || &got[0] != &x.m.data[100] {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, o := range []Options{
		{PerTensor: true},
		{Input: Uint8, Output: Float32, ExplicitPad: true, KeepDims: true, Softmax: true},
		{Legacy: true, AveragePool: true, ConvHead: true},
	} {
		f.Add(tiny(f, o))
	}
	for _, form := range forms {
		w, err := newWriter(narrow(0.02, form.o), form.o)
		if err != nil {
			f.Fatal(err)
		}
		form.change(w)
		f.Add(w.file())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		net, err := Read(data)
		if err != nil {
			return
		}
		// What was read can be written, unless it has a form that Write does not
		// know, and then read again.
		again, err := Write(net, Options{})
		if err != nil {
			return
		}
		got, err := Read(again)
		if err != nil {
			t.Fatalf("reading what was written: %v", err)
		}
		if got.SHA256 = net.SHA256; !reflect.DeepEqual(got, net) {
			t.Fatal("the network came back different")
		}
	})
}
