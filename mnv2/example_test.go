package mnv2_test

import (
	"fmt"
	"log"

	"tarsier/mnv2"
	"tarsier/mnv2/tflite"
)

func Example() {
	network, err := tflite.Load("mobilenet_v2_1.0_224.tflite")
	if err != nil {
		log.Fatal(err)
	}
	m, err := mnv2.New(network, mnv2.Options{})
	if err != nil {
		log.Fatal(err)
	}
	r := m.NewRunner()
	defer r.Close()

	size := m.Facts().Size
	rgb := make([]byte, size*size*3) // a picture goes here
	if err := r.Run(rgb); err != nil {
		log.Fatal(err)
	}
	for class, score := range r.Scores() {
		if score > 0.5 {
			fmt.Println(class, score)
		}
	}
}
