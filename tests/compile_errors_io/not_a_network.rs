use tuplenet::include_weights;

static NET: [f32; 17] = include_weights!("../io/fixtures/torch_xor.safetensors");

fn main() {
    let _first = NET[0];
}
