// How similar are two layers of two networks on the same images?
import Parallax

let models = try ["clip-vit-base-patch16", "mobilenetv2"].map { try Catalog.load(.name($0)) }
let images = try ImageSet(CacheFolder.url.appending(path: "images/stamps").path, limit: 96)
let study = try Study("Two networks", models, images)
let sites = try study.representations()
let similarity = try SimilarityAnalysis(
  sites, of: study.pass.subjects, images: images.samples.count, blockSize: 64)
try study.pass.run([similarity])
let result = try similarity.result()
for partner in result.partners(0, 1) {
  guard let place = partner.partner, let value = partner.value else { continue }
  let (site, found) = (result.models[0].label(partner.site), result.models[1].label(place))
  print(site, "→", found, (value * 1000).rounded() / 1000)
}
