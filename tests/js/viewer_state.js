// What NGL shows in a viewer: values, colours and places of its atoms, the frame, the background.
([number]) => {
  const { stage } = document.querySelectorAll("[data-testid=viewer]")[number];
  const component = stage.compList[0], buffer = component.reprList[0].repr.bufferList[0];
  const shades = buffer.geometry.attributes.color.array, size = shades.length / 3;
  const bfactors = [], places = [], corners = [];
  component.structure.eachAtom((atom) => {
    if (atom.resname === "ATM") {
      bfactors.push(atom.bfactor);
      places.push([atom.x, atom.y, atom.z]);
    }
    if (atom.resname === "BOX") corners.push([atom.x, atom.y, atom.z]);
  });
  const count = bfactors.length;
  const colours = bfactors.map((_, i) => {
    const first = 3 * i * size / count;
    return Array.from(shades.slice(first, first + 3));
  });
  const background = stage.getParameters().backgroundColor;
  return { bfactors, colours, places, corners, components: stage.compList.length, background };
}
