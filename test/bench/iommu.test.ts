import t from 'tap';
import { iommuTable, measureIommu } from './iommu.js';

t.test('the benchmark of the IOMMU measures everything it shows', async (t) => {
  const results = measureIommu(1000);
  t.ok(results.every(({ ns }) => ns > 0));
  t.equal(iommuTable(results).split('\n').length, results.length + 2);
});
